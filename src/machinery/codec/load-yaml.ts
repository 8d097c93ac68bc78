// The way to YAML from other folders: the library is loaded when it is first needed, never at start.

export const loadYaml = (): Promise<typeof import('./yaml.ts')> => import('./yaml.ts');
