// Accepts a client's upgrade for forwarding ports: SPDY/3.1 as it is (kubectl before 1.31), or inside a WebSocket (since). Both become
// pairs of streams, one pair for each connection.
import type { Clock } from '../base/index.ts';
import { type ForwardPair, ForwardPairs } from './port-forward-pairs.ts';
import { chooseProtocol, type Refusal, refuseUpgrade } from './remote-command-refusal.ts';
import { SpdySession, type SpdyStream } from './spdy-session.ts';
import { acceptSpdy, isSpdyUpgrade, spdyProtocolsOf, type Upgrade } from './spdy-upgrade.ts';
import { isWebSocketUpgrade, webSocketProtocolsOf } from './websocket.ts';
import { acceptTunnel, tunnelPrefix } from './websocket-tunnel.ts';

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
  readonly onPair: (pair: ForwardPair<SpdyStream>) => void;
}

export interface PortForwardSession {
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<void>;
  destroy(): void;
}

/** Why this client could not be accepted; undefined = it can. */
export function portForwardRefusal({ request }: Upgrade): Refusal | undefined {
  const tunnelled = isWebSocketUpgrade(request);
  if (!tunnelled && !isSpdyUpgrade(request)) {
    const asked = JSON.stringify(request.headers.upgrade ?? '');
    return { status: 400, message: `unable to upgrade: ${asked} is neither websocket nor SPDY/3.1` };
  }
  const choice = tunnelled
    ? chooseProtocol(
        webSocketProtocolsOf(request),
        protocols.map((one) => tunnelPrefix + one),
      )
    : chooseProtocol(spdyProtocolsOf(request), protocols);
  return 'refusal' in choice ? choice.refusal : undefined;
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
  const pairs = new ForwardPairs<SpdyStream>({ clock, timeoutMs: streamsTimeoutMs, onPair });
  const onStream = (stream: SpdyStream) => pairs.add(stream);
  let session: SpdySession | undefined;
  if (isWebSocketUpgrade(upgrade.request)) {
    const accepted = await acceptTunnel(upgrade, protocols);
    session = accepted && new SpdySession({ role: 'server', socket: accepted.tunnel, onStream });
  } else session = acceptSpdy(upgrade, protocols, onStream)?.session;
  if (session === undefined) return undefined;
  watch(session, clock);
  void session.closed.then(() => pairs.close());
  return { closed: session.closed, destroy: () => session.destroy() };
}

/** Pings, and ends a session in which nothing happens; the answers to the pings do not count, the client's own do. */
function watch(session: SpdySession, clock: Clock): void {
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
