// What the schema of a node says against a rule before it is ever asked: a field that is not there, a number that is compared with a text.
import type { Environment } from '@marcbachmann/cel-js';
import type { JsonSchema } from '../structural/json-schema.ts';
import { DeclaredTypes, isCertain } from './declared-types.ts';
import { type Compiled, compileIn, newEnvironment } from './environment.ts';

type Fault = Extract<Compiled, { ok: false }>;

/** The rules of one node. Types are made when the first rule is looked at. */
export class TypedRules {
  readonly #schema: JsonSchema;
  readonly #root: boolean;
  readonly #environments = new Map<boolean, Environment | undefined>();

  constructor(schema: JsonSchema, root: boolean) {
    this.#schema = schema;
    this.#root = root;
  }

  /** What is wrong with a text that compiles without types; undefined = nothing that is certain. */
  fault(
    text: string,
    { optionalOldSelf }: { readonly optionalOldSelf?: boolean | undefined },
    type: 'bool' | 'string',
  ): Fault | undefined {
    const environment = this.#environment(optionalOldSelf === true);
    if (environment === undefined) return undefined;
    const compiled = compileIn(environment, text, [type]);
    if (compiled.ok) return undefined;
    const certain =
      compiled.typed === true ? !/but got .*[<.]/.test(compiled.error) : isCertain(compiled.cause);
    return certain ? compiled : undefined;
  }

  #environment(optional: boolean): Environment | undefined {
    if (!this.#environments.has(optional)) this.#environments.set(optional, this.#make(optional));
    return this.#environments.get(optional);
  }

  #make(optional: boolean): Environment | undefined {
    const environment = newEnvironment();
    const types = new DeclaredTypes(environment);
    const type = this.#root ? resourceType(types, this.#schema) : types.ofSchema('Self', this.#schema);
    if (type === undefined) return undefined;
    environment.registerVariable('self', type);
    return environment.registerVariable('oldSelf', optional ? `optional<${type}>` : type);
  }
}

/** Of a whole resource, who it is can be looked at, whatever its schema says. */
function resourceType(types: DeclaredTypes, schema: JsonSchema): string {
  const { metadata: _, apiVersion: _version, kind: _kind, ...properties } = schema.properties ?? {};
  return types.declare('Self', {
    ...types.fieldsOfSchema('Self', { ...schema, properties }),
    ...types.identity('Self'),
  });
}
