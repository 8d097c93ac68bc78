// A promise that somebody else settles. (Promise.withResolvers is not in Node 20.)

export interface Resolvable {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(why: unknown): void;
}

export function withResolvers(): Resolvable {
  let resolve!: () => void;
  let reject!: (why: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
