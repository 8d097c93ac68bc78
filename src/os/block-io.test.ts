import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlockIo, deviceNameOf, deviceNames, parseBlkio, parseIoStat } from './block-io.ts';

const vda: BlockIo = { device: '254:0', reads: 3, writes: 2, readBytes: 12_288, writtenBytes: 8192 };
const idle: BlockIo = { device: '7:1', reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 };

describe('disks of a group', () => {
  it('of version 2, without those that were only named', () =>
    expect(
      parseIoStat('254:0 rbytes=12288 wbytes=8192 rios=3 wios=2 dbytes=0 dios=0\n253:0 \n7:1 rbytes=0\n'),
    ).toEqual([vda, idle]));

  it('of version 1, without the sum', () =>
    expect(
      parseBlkio(
        '254:0 Read 12288\n254:0 Write 8192\n254:0 Sync 20480\n254:0 Total 20480\n7:1 Read 0\nTotal 20480\n',
        '254:0 Read 3\n254:0 Write 2\nTotal 5\n',
      ),
    ).toEqual([vda, idle]));

  it.each([
    ['version 2', parseIoStat(''), []],
    ['version 1', parseBlkio('Total 0\n', 'Total 0\n'), []],
    ['no such file', parseIoStat(undefined), undefined],
    ['one file of two', parseBlkio('Total 0\n', undefined), undefined],
  ])('none: %s', (_, found, expected) => expect(found).toEqual(expected));

  it('are read as they were written, whichever version', () => {
    const number = fc.nat();
    const disks = fc.uniqueArray(
      fc.record({
        device: fc.tuple(fc.nat(999), fc.nat(999)).map((pair) => pair.join(':')),
        reads: number,
        writes: number,
        readBytes: number,
        writtenBytes: number,
      }),
      { selector: ({ device }) => device },
    );
    fc.assert(
      fc.property(disks, (all) => {
        const v2 = all.map(
          (io) =>
            `${io.device} rbytes=${io.readBytes} wbytes=${io.writtenBytes} rios=${io.reads} wios=${io.writes}\n`,
        );
        const v1 = (read: keyof BlockIo, write: keyof BlockIo) =>
          all.map((io) => `${io.device} Read ${io[read]}\n${io.device} Write ${io[write]}\n`).join('');
        expect(parseIoStat(v2.join(''))).toEqual(all);
        expect(parseBlkio(v1('readBytes', 'writtenBytes'), v1('reads', 'writes'))).toEqual(all);
      }),
    );
  });
});

it('a disk has the name of its file', () => {
  expect(deviceNameOf('MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n')).toBe('/dev/vda');
  expect(deviceNameOf('MAJOR=0\n')).toBe('');
  expect(deviceNames('999999:0')).toBe('');
});
