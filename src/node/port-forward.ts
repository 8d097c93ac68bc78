// kubectl port-forward at the node: joins each pair of streams of a client with a connection to a port of localhost as the pod sees
// it. The choice: the node dials itself. The runtime's own forwarder cuts a connection one second after either side has ended its half.
import type { Socket } from 'node:net';
import type { Clock, Log, Timer } from '../base/index.ts';
import {
  acceptPortForward,
  type ForwardEnd,
  type ForwardPair,
  portForwardRefusal,
  refuseUpgrade,
  type Upgrade,
} from '../http/index.ts';
import {
  type ContainerRuntime,
  DialError,
  type LocalDialer,
  netnsDialer,
  ownDialer,
  RuntimeError,
} from '../os/index.ts';

/** How often is looked whether the sandbox still runs. */
const lookPeriodMs = 2_000;

export interface PortForwardTarget {
  readonly sandboxId: string;
  /** The pod is on the node's own network. */
  readonly hostNetwork: boolean;
  readonly runtime: Pick<ContainerRuntime, 'sandboxPid'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Cuts the session, so that whoever waits for its end can stop. */
  readonly signal: AbortSignal;
  /** Whether the sandbox still runs; the session ends with it. */
  running(): boolean;
}

/** Takes over the connection. Resolves when the session has ended and nothing of it is left; never rejects. */
export async function servePortForward(upgrade: Upgrade, target: PortForwardTarget): Promise<void> {
  const refusal = portForwardRefusal(upgrade);
  if (refusal !== undefined) {
    refuseUpgrade(upgrade.socket, refusal);
    return;
  }
  let network: PodNetwork;
  try {
    network = await networkOf(target);
  } catch (error) {
    const status = error instanceof RuntimeError && error.code === 'notFound' ? 404 : 500;
    refuseUpgrade(upgrade.socket, { status, message: (error as Error).message });
    return;
  }
  const { clock, signal } = target;
  // A client that went meanwhile has no end any more that could be waited for.
  const session = upgrade.socket.destroyed
    ? undefined
    : await acceptPortForward(upgrade, {
        clock,
        onPair: (pair) => void forward(pair, network, target.log),
      });
  if (session !== undefined) {
    const cut = () => session.destroy();
    if (signal.aborted) cut();
    signal.addEventListener('abort', cut, { once: true });
    let timer: Timer | undefined;
    const look = () => {
      if (target.running()) timer = clock.after(lookPeriodMs, look);
      else cut();
    };
    look();
    await session.closed;
    timer?.cancel();
    signal.removeEventListener('abort', cut);
  }
  network.dialer.close();
}

/** Where a pod's localhost is. */
export interface PodNetwork {
  readonly sandboxId: string;
  /** As it is named to users: `host`, or the file of the namespace. */
  readonly name: string;
  readonly dialer: LocalDialer;
}

async function networkOf({ sandboxId, hostNetwork, runtime }: PortForwardTarget): Promise<PodNetwork> {
  if (hostNetwork) return { sandboxId, name: 'host', dialer: ownDialer };
  const pid = await runtime.sandboxPid(sandboxId);
  if (pid === undefined) throw new Error(`sandbox container ${JSON.stringify(sandboxId)} is not running`);
  const name = `/proc/${pid}/ns/net`;
  return { sandboxId, name, dialer: netnsDialer(name) };
}

/**
 * One connection, until both sides have ended or either is gone. What the pod says last is followed by the end of both streams, even
 * when the client may go on sending: clients wait for it before they close theirs. Never rejects.
 */
export async function forward(pair: ForwardPair, network: PodNetwork, log: Log): Promise<void> {
  const { port, data, error } = pair;
  // Clients send nothing on it; its end must be read all the same.
  error.resume();
  const fail = (why: string) => {
    const message = `error forwarding port ${port} to pod ${network.sandboxId}, uid : failed to execute portforward in network namespace ${JSON.stringify(network.name)}: ${why}`;
    log.info('port forwarding failed', { error: message });
    if (error.writable) error.end(message);
    end(data);
  };
  let socket: Socket;
  try {
    socket = await network.dialer.dial(port);
  } catch (cause) {
    fail(
      cause instanceof DialError
        ? `failed to connect to localhost:${port} inside namespace ${JSON.stringify(network.sandboxId)}, IPv4: ${cause.ipv4} IPv6 ${cause.ipv6} `
        : (cause as Error).message,
    );
    // What nobody takes would hold up the client's other connections.
    data.resume();
    return;
  }
  await join(data, socket, fail);
  end(error);
  end(data);
}

function end(stream: ForwardEnd): void {
  if (stream.writable) stream.end();
}

/** Resolves when the pod's side has ended or is gone; its socket may then still take what the client sends. */
function join(data: ForwardEnd, socket: Socket, fail: (why: string) => void): Promise<void> {
  socket.setNoDelay(true);
  return new Promise((resolve) => {
    let answered = false;
    socket.once('error', (cause) => fail(cause.message));
    socket.once('end', () => {
      answered = true;
      resolve();
    });
    socket.once('close', () => {
      data.unpipe(socket);
      data.resume();
      resolve();
    });
    // A client that is gone, or gave up this connection, wants no answer; what it had said to its end still goes to the pod.
    data.once('cut', () => {
      if (!answered || data.endedBy !== 'fin') socket.destroy();
    });
    data.once('close', () => {
      if (!answered) socket.destroy();
    });
    data.once('end', () => (data.endedBy === 'fin' ? socket.end() : socket.destroy()));
    if (data.destroyed || (data.endedBy !== undefined && data.endedBy !== 'fin')) {
      socket.destroy();
      return;
    }
    data.pipe(socket, { end: false });
    socket.pipe(data, { end: false });
  });
}
