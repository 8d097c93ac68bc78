// CRI: the contract, how to connect to a runtime, and the fake.

import type { ContainerRuntime } from './container-runtime.ts';
import type { GrpcRuntimeOptions } from './grpc-runtime.ts';

export * from './container-runtime.ts';
export { type FakeCall, type FakeProcess, FakeRuntime, type FakeRuntimeOptions } from './fake-runtime.ts';

/** Connects lazily: resolves before the runtime answers; calls reject with `unavailable` until it does. */
export async function connectRuntime(
  options: Partial<GrpcRuntimeOptions> & Pick<GrpcRuntimeOptions, 'socketPath'>,
): Promise<ContainerRuntime> {
  const { createGrpcRuntime, defaultRuntimeTimeouts } = await import('./grpc-runtime.ts');
  return createGrpcRuntime({ ...defaultRuntimeTimeouts, ...options });
}
export { type RuntimeUnderTest, runtimeContract } from './runtime-suite.ts';
