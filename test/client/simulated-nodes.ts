// A server of its own with simulated nodes, and the kubectl for it: what tests of workloads begin with.
import { Kubectl } from './kubectl.ts';
import { type ProgramOptions, type ProgramServer, startProgram } from './program-server.ts';

/** Pods start and stop at once: for tests that are not about the time in between. */
export const quickPods = `
pods:
- name: job
  selector: {matchExpressions: [{key: batch.kubernetes.io/job-name, operator: Exists}]}
  start: 20ms..60ms
  stop: 10ms..30ms
  ends: {after: 200ms..400ms}
- name: quick
  start: 20ms..60ms
  stop: 10ms..30ms
`;

export interface SimulatedNodes {
  readonly server: ProgramServer;
  readonly k: Kubectl;
  /** Last lines of a rollout that has ended; fails when it does not end in time. */
  rolledOut(what: string): Promise<string>;
  /** Messages of the events of one object, in the order of what happened. */
  messages(object: string, reason: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startNodes(
  count: number,
  { simulation = quickPods, flags = [] }: Pick<ProgramOptions, 'simulation' | 'flags'> = {},
): Promise<SimulatedNodes> {
  const server = await startProgram({ simulateNodes: count, simulation, flags });
  const k = new Kubectl(server);
  try {
    // A node is Ready a moment before the taint of new nodes is taken from it, and pods are put there.
    const untainted = Array.from({ length: count }, () => '<none>').join('\n');
    await k.comesToSay('get nodes --no-headers -o custom-columns=T:.spec.taints', untainted);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    k,
    rolledOut: async (what) =>
      (await k.ok(`rollout status ${what} --timeout=90s`)).trimEnd().split('\n').at(-1) ?? '',
    messages: async (object, reason) => {
      const fields = `involvedObject.name=${object},reason=${reason}`;
      const said = await k.ok(
        `get events --field-selector ${fields} --no-headers -o custom-columns=M:.message`,
      );
      return said.trimEnd().split('\n');
    },
    async stop() {
      k.stop();
      await server.stop();
    },
  };
}
