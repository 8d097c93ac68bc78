// How often simulated nodes say that they live. Pure: docs/design/0010-simulated-nodes.md tells the choice.

export interface Heartbeat {
  readonly renewMs: number;
  /** What the Lease says; a node is not given up before it has run out. */
  readonly leaseSeconds: number;
}

/** Renewals a second that a server spends on simulated nodes, however many they are. */
const renewalsPerSecond = 3500;
/** As a real node's. */
const shortestMs = 500;
/** Half as often is soon enough where many nodes would cost much: the shortest Lease is the same. */
const manyNodes = 500;
const shortestOfManyMs = 1000;
const shortestLeaseSeconds = 2;
/** A renewal may be this much late before the Lease runs out. */
const slack = 1.35;

/** Few nodes beat as real ones do; many beat more seldom, and their Leases say so. */
export function heartbeatFor(nodes: number): Heartbeat {
  const shortest = nodes < manyNodes ? shortestMs : shortestOfManyMs;
  const renewMs = Math.max(shortest, Math.ceil((nodes * 1000) / renewalsPerSecond));
  return {
    renewMs,
    leaseSeconds: Math.max(shortestLeaseSeconds, Math.ceil((renewMs * slack) / 1000)),
  };
}
