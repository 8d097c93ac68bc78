// Accepts a client's upgrade for forwarding ports: SPDY/3.1 as it is (kubectl before 1.31), SPDY inside a WebSocket (since), or the
// channels of a WebSocket (client libraries). All become pairs of streams, one pair for each connection.
import type { Clock } from '../base/index.ts';
import {
  acceptChannels,
  channelProtocols,
  type ForwardConnection,
  parsePortsQuery,
} from './port-forward-channels.ts';
import { type ForwardPair, ForwardPairs } from './port-forward-pairs.ts';
import { chooseProtocol, type Refusal, refuseUpgrade } from './remote-command-refusal.ts';
import { SpdySession, type SpdyStream } from './spdy-session.ts';
import { acceptSpdy, isSpdyUpgrade, spdyProtocolsOf, type Upgrade } from './spdy-upgrade.ts';
import { isWebSocketUpgrade, webSocketProtocolsOf } from './websocket.ts';
import { acceptTunnel, offersTunnel, tunnelPrefix } from './websocket-tunnel.ts';

const protocols = ['portforward.k8s.io'] as const;

/** For a client to open the second stream of a pair; `DefaultStreamCreationTimeout` of the kubelet. */
const streamsTimeoutMs = 30_000;
/** A connection without any frame is closed after this; `streamingConnectionIdleTimeout` of the kubelet. */
const idleTimeoutMs = 4 * 60 * 60_000;
/** Finds a client that is gone without a word, and how long nothing has come. */
const pingPeriodMs = 30_000;

export interface PortForwardOptions {
  readonly clock: Clock;
  /** Once for each connection that the client wants. */
  readonly onPair: (pair: ForwardPair) => void;
}

export interface PortForwardSession {
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<void>;
  destroy(): void;
}

const tunnelled = protocols.map((one) => tunnelPrefix + one);

/** The ports that a client of channels names; a string says what is wrong with them. */
const portsOf = ({ request }: Upgrade): readonly number[] | string =>
  parsePortsQuery(new URL(request.url ?? '/', 'http://node').searchParams);

/** A client that asks for no protocol gets channels. */
const wantsChannels = ({ request }: Upgrade): boolean =>
  isWebSocketUpgrade(request) && !offersTunnel(request);

/** Why this client could not be accepted; undefined = it can. */
export function portForwardRefusal(upgrade: Upgrade): Refusal | undefined {
  const { request } = upgrade;
  const refusalOf = (asked: readonly string[], accepted: readonly string[]): Refusal | undefined => {
    const choice = chooseProtocol(asked, accepted);
    return 'refusal' in choice ? choice.refusal : undefined;
  };
  if (isSpdyUpgrade(request)) return refusalOf(spdyProtocolsOf(request), protocols);
  if (!isWebSocketUpgrade(request)) {
    const asked = JSON.stringify(request.headers.upgrade ?? '');
    return { status: 400, message: `unable to upgrade: ${asked} is neither websocket nor SPDY/3.1` };
  }
  const asked = webSocketProtocolsOf(request);
  if (!wantsChannels(upgrade)) return refusalOf(asked, tunnelled);
  const refusal =
    asked.length === 0 ? undefined : refusalOf(asked, [...tunnelled, ...Object.keys(channelProtocols)]);
  const ports = portsOf(upgrade);
  return refusal ?? (typeof ports === 'string' ? { status: 400, message: ports } : undefined);
}

/** Resolves to undefined when the client was refused (and told why) or went away. Never rejects. */
export async function acceptPortForward(
  upgrade: Upgrade,
  { clock, onPair }: PortForwardOptions,
): Promise<PortForwardSession | undefined> {
  const refusal = portForwardRefusal(upgrade);
  if (refusal !== undefined) {
    refuseUpgrade(upgrade.socket, refusal);
    return undefined;
  }
  const ports = wantsChannels(upgrade) ? portsOf(upgrade) : '';
  const session =
    typeof ports === 'string'
      ? await acceptPairs(upgrade, { clock, onPair })
      : await acceptChannels(upgrade, ports, { clock, onPair });
  if (session === undefined) return undefined;
  watch(session, clock);
  return { closed: session.closed, destroy: () => session.destroy() };
}

async function acceptPairs(
  upgrade: Upgrade,
  { clock, onPair }: PortForwardOptions,
): Promise<SpdySession | undefined> {
  const pairs = new ForwardPairs<SpdyStream>({ clock, timeoutMs: streamsTimeoutMs, onPair });
  const onStream = (stream: SpdyStream) => pairs.add(stream);
  let session: SpdySession | undefined;
  if (isWebSocketUpgrade(upgrade.request)) {
    const accepted = await acceptTunnel(upgrade, protocols);
    session = accepted && new SpdySession({ role: 'server', socket: accepted.tunnel, onStream });
  } else session = acceptSpdy(upgrade, protocols, onStream)?.session;
  void session?.closed.then(() => pairs.close());
  return session;
}

/** Pings, and ends a session in which nothing happens; the answers to the pings do not count, the client's own do. */
function watch(session: ForwardConnection, clock: Clock): void {
  let seen = session.frames;
  let idleMs = 0;
  const look = () => {
    idleMs = session.frames === seen ? idleMs + pingPeriodMs : 0;
    seen = session.frames;
    if (idleMs >= idleTimeoutMs) {
      session.destroy();
      return;
    }
    session.ping();
    timer = clock.after(pingPeriodMs, look);
  };
  let timer = clock.after(pingPeriodMs, look);
  void session.closed.then(() => timer.cancel());
}
