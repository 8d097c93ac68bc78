export { type Client, createClient, type ResourceClient } from './client.ts';
export * from './transport.ts';
