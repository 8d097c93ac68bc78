// What selectors of devices may say, and what they answer.
import { describe, expect, it } from 'vitest';
import { deviceSelectorFault, SelectableDevice } from './device-selectors.ts';

const gpu = new SelectableDevice({
  driver: 'gpu.example.com',
  attributes: {
    model: { string: 'a100' },
    index: { int: 3 },
    healthy: { bool: true },
    'gpu.example.com/driverVersion': { version: '1.10.0-rc.1' },
    'other.example.com/rack': { string: 'r1' },
  },
  capacity: { memory: { value: '40Gi' }, 'other.example.com/lanes': { value: '16' } },
});
const own = 'device.attributes["gpu.example.com"]';

describe('a selector', () => {
  it.each<[string, boolean]>([
    ['device.driver == "gpu.example.com"', true],
    [`${own}.model == "a100"`, true],
    [`${own}["model"] == "b"`, false],
    [`${own}.index > 2 && ${own}.healthy`, true],
    [`${own}.healthy`, true],
    [`${own}.driverVersion.isGreaterThan(semver("1.9.0"))`, true],
    [`${own}.driverVersion.compareTo(semver("1.10.0")) < 0`, true],
    ['device.attributes["other.example.com"].rack in ["r1", "r2"]', true],
    ['device.capacity["gpu.example.com"].memory.compareTo(quantity("40Gi")) >= 0', true],
    ['device.capacity["gpu.example.com"].memory.isLessThan(quantity("1Gi"))', false],
    ['device.capacity["other.example.com"].lanes == quantity("16")', true],
    // a domain that nobody speaks of is empty
    ['has(device.attributes["unknown.example.com"].model)', false],
    ['"model" in device.attributes["unknown.example.com"]', false],
    ['"unknown.example.com" in device.attributes', false],
    ['"gpu.example.com" in device.attributes && "gpu.example.com" in device.capacity', true],
    [`has(${own}.model) && !has(${own}.color)`, true],
    [`cel.bind(own, ${own}, own.healthy && own.index == 3)`, true],
    ['device.attributes["unknown.example.com"].?model.orValue("none") == "none"', true],
  ])('%s is %s', (text, wanted) => {
    expect(deviceSelectorFault(text)).toBeUndefined();
    expect(gpu.isSelectedBy(text)).toBe(wanted);
  });

  it.each<[string, string]>([
    [`${own}.color == "red"`, 'CEL runtime error: no such key: color'],
    [`${own}.model`, 'CEL runtime error: CEL result of type string could not be converted to bool'],
    [
      'device.drivers == "a"',
      "CEL compile error: compilation failed: ERROR: <input>:1:7: undefined field 'drivers'",
    ],
  ])('%s cannot be answered', (text, why) => {
    expect(() => gpu.isSelectedBy(text)).toThrow(why);
    // no more than once
    expect(() => gpu.isSelectedBy(text)).toThrow(why);
  });

  it.each<[string, string, string]>([
    ['device.drivers', 'invalid', "compilation failed: ERROR: <input>:1:7: undefined field 'drivers'"],
    ['devic.driver == "a"', 'invalid', "undeclared reference to 'devic'"],
    ['device.driver ==', 'invalid', 'compilation failed: ERROR: <input>:1:'],
    ['device.driver == 1', 'invalid', "found no matching overload for '_==_' applied to '(string, int)'"],
    ['device.driver', 'invalid', 'must evaluate to bool or the unknown type, not string'],
    ['1 + 1', 'invalid', 'must evaluate to bool or the unknown type, not int'],
    [
      '[1].all(a, [1].all(b, [1].all(c, [1].all(d, a + b + c + d == 4))))',
      'forbidden',
      'too complex, exceeds cost limit',
    ],
  ])('%s is refused', (text, type, detail) => {
    const fault = deviceSelectorFault(text);
    expect(fault?.type).toBe(type);
    expect(fault?.detail).toContain(detail);
  });
});
