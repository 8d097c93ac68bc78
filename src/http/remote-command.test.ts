// The parts of a remote command that need no connection: refusals, statuses, sizes of a terminal.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeTerminalSize,
  exitStatus,
  failureStatus,
  parseStatus,
  successStatus,
  type TerminalSize,
  TerminalSizeReader,
} from './remote-command.ts';
import { remoteCommandRefusal } from './remote-command-server.ts';
import type { Upgrade } from './spdy-upgrade.ts';

describe('what can be told before anything starts', () => {
  const upgrade = (headers: Record<string, string>) => ({ request: { headers } }) as unknown as Upgrade;
  test.each([
    [{ upgrade: 'websocket', 'sec-websocket-protocol': 'v5.channel.k8s.io' }, undefined],
    [{ upgrade: 'WebSocket' }, undefined],
    [{ upgrade: 'websocket', 'sec-websocket-protocol': 'v9' }, 403],
    [{ upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v5.channel.k8s.io,v4.channel.k8s.io' }, undefined],
    [{ upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v1' }, 403],
    [{ upgrade: 'SPDY/3.1' }, 400],
    [{ upgrade: 'h2c' }, 400],
  ])('%j', (headers, status) => {
    expect(remoteCommandRefusal(upgrade(headers as Record<string, string>))?.status).toBe(status);
  });
});

describe('statuses', () => {
  test('are read as they were written', () => {
    for (const status of [successStatus, exitStatus(0), exitStatus(137), failureStatus('x')])
      expect(parseStatus(JSON.stringify(status))).toEqual(status);
  });
  test.each(['', '{', 'null', '3', '{}', '{"status":"Perhaps"}'])('%j is a failure', (text) => {
    expect(parseStatus(text)).toMatchObject({ status: 'Failure', reason: 'InternalError' });
  });
});

describe('sizes of a terminal', () => {
  const read = (chunks: readonly Buffer[]): TerminalSize[] => {
    const sizes: TerminalSize[] = [];
    const reader = new TerminalSizeReader();
    reader.onSize((size) => sizes.push(size));
    for (const chunk of chunks) reader.push(chunk);
    return sizes;
  };
  const side = fc.integer({ min: 1, max: 0xffff });
  test('are read wherever the chunks end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ width: side, height: side })),
        fc.integer({ min: 1, max: 40 }),
        (sizes, step) => {
          const bytes = Buffer.concat(sizes.map(encodeTerminalSize));
          const chunks: Buffer[] = [];
          for (let at = 0; at < bytes.length; at += step) chunks.push(bytes.subarray(at, at + step));
          expect(read(chunks)).toEqual(sizes);
        },
      ),
    );
  });
  test('what is no size is skipped', () => {
    const text =
      '{"Width":0,"Height":24}{"Width":80}nonsense}{"Width":70000,"Height":1}{"Width":"8","Height":2}{"Width":8,"Height":2}';
    expect(read([Buffer.from(text)])).toEqual([{ width: 8, height: 2 }]);
  });
});
