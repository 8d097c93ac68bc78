// HAProxy's runtime socket: one connection a command, which ends with the answer. What it answers is compared with what is known to be
// success, since there are no codes.
import { connect } from 'node:net';
import { mostPayloadBytes } from './arrangement.ts';

const answerTimeoutMs = 5_000;
/** A line for the socket is at most a buffer long. */
const commandsAtOnce = 50;

/** Commands of servers are answered by nothing, or by what changed. */
const serverSuccess = /^(|no need to change.*|.*changed from .* by 'stats socket command')$/;

export class RuntimeSocket {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects when nobody answers. `text` ends without a line end. */
  ask(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(this.#path);
      socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('HAProxy does not answer')));
      socket.on('connect', () => socket.end(`${text}\n`));
      socket.on('data', (data) => (answer += data.toString('utf8')));
      socket.on('end', () => resolve(answer.trim()));
      socket.on('error', reject);
    });
  }

  /** The value of a variable of the process, undefined when nobody answers or it has none. */
  async variable(name: string): Promise<string | undefined> {
    const answer = await this.ask(`show env ${name}`).catch(() => '');
    return answer.startsWith(`${name}=`) ? answer.slice(name.length + 1) : undefined;
  }

  /** `set server …` only. Rejects with what was answered when one of them failed. */
  async setServers(commands: readonly string[]): Promise<void> {
    for (let i = 0; i < commands.length; i += commandsAtOnce) {
      const answer = await this.ask(commands.slice(i, i + commandsAtOnce).join(';'));
      const failed = answer.split('\n').find((line) => !serverSuccess.test(line.trim()));
      if (failed !== undefined) throw new Error(`HAProxy refused a change of its servers: ${failed}`);
    }
  }

  /** All lines of a map, seen at once. */
  async replaceMap(file: string, lines: ReadonlyMap<string, string>): Promise<void> {
    const prepared = await this.ask(`prepare map ${file}`);
    const version = /^New version created: (\d+)$/.exec(prepared)?.[1];
    if (version === undefined) throw new Error(`HAProxy prepares no map: ${prepared}`);
    let part = '';
    const add = async (): Promise<void> => {
      if (part !== '') await this.#must(`add map @${version} ${file} <<\n${part}`, '');
      part = '';
    };
    for (const [key, value] of lines) {
      const line = `${key} ${value}\n`;
      if (part.length + line.length > mostPayloadBytes) await add();
      part += line;
    }
    await add();
    await this.#must(`commit map @${version} ${file}`, '');
  }

  /** New contents of a certificate that is loaded; connections that are made from then on see it. */
  async replaceCertificate(file: string, pem: string): Promise<void> {
    await this.#must(`set ssl cert ${file} <<\n${pem}`, 'Transaction');
    const answer = await this.ask(`commit ssl cert ${file}`);
    if (answer.includes('Success')) return;
    await this.ask(`abort ssl cert ${file}`);
    throw new Error(`HAProxy refused a certificate: ${answer}`);
  }

  async #must(command: string, beginning: string): Promise<void> {
    const answer = await this.ask(command);
    if (beginning === '' ? answer !== '' : !answer.startsWith(beginning))
      throw new Error(`HAProxy refused "${command.split('\n')[0]}": ${answer}`);
  }
}
