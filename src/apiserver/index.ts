export { type ApiServer, type ApiServerOptions, createApiServer } from './api-server.ts';
export { setFreezeShared } from './registry/objects.ts';
export { firstServiceIp, parseIpv4Range } from './service-ips.ts';
