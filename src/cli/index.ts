export { CommandFailure } from './failure.ts';
export type {
  AgentFlags,
  ClusterFlags,
  DatastoreCopyFlags,
  Handlers,
  ImageLoadFlags,
  LogLevelFlag,
  NodeAddFlags,
  NodeFlags,
  ServerFlags,
  StatusFlags,
  TokenCreateFlags,
  TokenFlags,
  UpFlags,
} from './handlers.ts';
export { createProgram, exitCodes, type Output, runProgram } from './program.ts';
