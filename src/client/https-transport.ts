// The Transport to an API server in another process: JSON over HTTPS. Speaks to any Kubernetes API server, not only to ours.
import type { Readable } from 'node:stream';
import type { Clock, Random, Timer } from '../base/index.ts';
import { ConnectionError, type HttpsAnswer, type HttpsClient } from '../http/index.ts';
import { isExpired, type KubeObject, type Status, StatusError } from '../machinery/index.ts';
import { LineSplitter } from './line-splitter.ts';
import { deleteBody, listParameters, queryString, resourcePath, writeParameters } from './resource-path.ts';
import type {
  ApiResource,
  ListQuery,
  ListResult,
  PatchType,
  Target,
  Transport,
  WatchEvent,
  WatchQuery,
  WatchSink,
} from './transport.ts';

export interface HttpsTransportOptions {
  /** Closed with the transport. */
  readonly http: HttpsClient;
  readonly clock: Clock;
  /** Spreads the ends of the watches of many clients. */
  readonly random?: Random | undefined;
  /** Called with every object received, before anybody sees it. Tests freeze here what in-process readers get frozen. */
  readonly received?: ((object: KubeObject) => void) | undefined;
}

const patchContentTypes: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** A list without a limit is fetched in pages of this many: no answer grows without bound, and parsing one never holds up the rest. */
const pageSize = 2000;
/** The server ends a watch after this long, so that clients spread over servers again. Doubled at most by chance. */
const watchTimeoutSeconds = 300;
/** Bookmarks come each minute: a watch that is silent for longer than this is dead, though the connection may not know. */
const watchSilenceMs = 90_000;

export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  const { http, received } = options;

  async function call(method: string, path: string, body?: unknown, contentType?: string): Promise<unknown> {
    const answer = await http.request({
      method,
      path,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': contentType ?? 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (answer.status < 200 || answer.status > 299) throw errorOf(answer, answer.body);
    return parse(answer.body.toString('utf8'));
  }

  async function objectCall(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<KubeObject> {
    const object = (await call(method, path, body, contentType)) as KubeObject;
    received?.(object);
    return object;
  }

  async function listPage(target: Target, query: ListQuery): Promise<ListResult<KubeObject>> {
    const { apiVersion, kind } = target.kind;
    const page = (await call('GET', resourcePath(target) + queryString(listParameters(query)))) as {
      metadata: { resourceVersion: string; continue?: string };
      items: KubeObject[] | null;
    };
    // Items of a list carry neither; readers may count on both.
    const items = (page.items ?? []).map((item) => ({ ...item, apiVersion, kind }));
    if (received !== undefined) for (const item of items) received(item);
    return {
      items,
      resourceVersion: page.metadata.resourceVersion,
      continue: page.metadata.continue || undefined,
    };
  }

  async function listAll(target: Target, query: ListQuery): Promise<ListResult<KubeObject>> {
    const first = await listPage(target, { ...query, limit: pageSize });
    if (first.continue === undefined) return first;
    const items = [...first.items];
    try {
      for (let next: string | undefined = first.continue; next !== undefined; ) {
        const { labelSelector, fieldSelector } = query;
        const page = await listPage(target, {
          labelSelector,
          fieldSelector,
          limit: pageSize,
          continue: next,
        });
        for (const item of page.items) items.push(item);
        next = page.continue;
      }
    } catch (error) {
      // The snapshot went away between pages: the whole in one answer is always consistent.
      if (isExpired(error)) return listPage(target, query);
      throw error;
    }
    return { items, resourceVersion: first.resourceVersion, continue: undefined };
  }

  return {
    get: async (target, { resourceVersion } = {}) =>
      objectCall('GET', resourcePath(target) + queryString({ resourceVersion })),

    list: (target, query) =>
      query.limit === undefined && query.continue === undefined
        ? listAll(target, query)
        : listPage(target, query),

    watch(target, query, sink, signal) {
      void new RemoteWatch(target, query, sink, signal, options).run();
    },

    create: async (target, object, write) =>
      objectCall('POST', resourcePath(target) + queryString(writeParameters(write)), object),

    update: async (target, object, write) =>
      objectCall('PUT', resourcePath(target) + queryString(writeParameters(write)), object),

    patch: async (target, type, patch, { force, ...write }) =>
      objectCall(
        'PATCH',
        resourcePath(target) + queryString({ ...writeParameters(write), force }),
        patch,
        patchContentTypes[type],
      ),

    delete: async (target, deletion) =>
      objectCall(
        'DELETE',
        resourcePath(target) + queryString({ fieldManager: deletion.fieldManager }),
        deleteBody(deletion),
      ),

    async deleteCollection(target, query, deletion) {
      await call('DELETE', resourcePath(target) + queryString(listParameters(query)), deleteBody(deletion));
    },

    async resources({ group, version }) {
      const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      const list = (await call('GET', path)) as { resources?: readonly ApiResource[] | null };
      return list.resources ?? [];
    },

    async close() {
      http.close();
    },
  };
}

/** One watch: from its request to its one end. */
class RemoteWatch {
  readonly #target: Target;
  readonly #query: WatchQuery;
  readonly #sink: WatchSink;
  readonly #signal: AbortSignal;
  readonly #options: HttpsTransportOptions;
  readonly #lines = new LineSplitter();
  #silence: Timer | null = null;
  #body: Readable | null = null;
  #ended = false;

  constructor(
    target: Target,
    query: WatchQuery,
    sink: WatchSink,
    signal: AbortSignal,
    options: HttpsTransportOptions,
  ) {
    this.#target = target;
    this.#query = query;
    this.#sink = sink;
    this.#signal = signal;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { http, random } = this.#options;
    const { labelSelector, fieldSelector, resourceVersion, allowBookmarks } = this.#query;
    try {
      const answer = await http.stream({
        method: 'GET',
        path:
          resourcePath(this.#target) +
          queryString({
            watch: true,
            labelSelector,
            fieldSelector,
            resourceVersion,
            allowWatchBookmarks: allowBookmarks === true ? true : undefined,
            timeoutSeconds: Math.round(watchTimeoutSeconds * (1 + (random?.next() ?? 0))),
          }),
        headers: { accept: 'application/json' },
        signal: this.#signal,
      });
      this.#body = answer.body;
      if (answer.status !== 200) {
        const chunks: Buffer[] = [];
        for await (const chunk of answer.body) chunks.push(chunk as Buffer);
        throw errorOf(answer, Buffer.concat(chunks));
      }
      this.#listen();
      answer.body.on('data', this.#onData);
      answer.body.on('end', () => this.#end(undefined));
      answer.body.on('error', (error) => this.#end(error));
      answer.body.on('close', () => this.#end(undefined));
    } catch (error) {
      this.#end(error);
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#ended) return;
    this.#listen();
    const events: WatchEvent[] = [];
    let failure: unknown;
    for (const line of this.#lines.push(chunk)) {
      try {
        events.push(this.#read(line));
      } catch (error) {
        failure = error;
        break;
      }
    }
    if (this.#signal.aborted) this.#end(undefined);
    else {
      if (events.length > 0) this.#sink.onEvents(events);
      if (failure !== undefined) this.#end(failure);
    }
  };

  #read(line: string): WatchEvent {
    const event = parse(line) as { type: string; object: KubeObject };
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        this.#options.received?.(event.object);
        return event as WatchEvent;
      case 'BOOKMARK':
        return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion };
      case 'ERROR':
        throw StatusError.fromStatus(event.object as unknown as Partial<Status>, 500);
      default:
        throw new Error(`a watch event of unknown type ${JSON.stringify(event.type)}`);
    }
  }

  /** Something was heard: the silence begins anew. */
  #listen(): void {
    if (this.#query.allowBookmarks !== true) return;
    this.#silence?.cancel();
    this.#silence = this.#options.clock.after(watchSilenceMs, () =>
      this.#end(
        new ConnectionError(
          'timeout',
          `watch of ${this.#target.kind.plural}: nothing heard for ${watchSilenceMs / 1000} s`,
        ),
      ),
    );
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#silence?.cancel();
    this.#body?.destroy();
    if (!this.#signal.aborted) this.#sink.onEnd(error);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`the server's answer is not JSON: ${text.slice(0, 200)}`, { cause });
  }
}

/** What an answer without a Status body means, as client-go reads it. */
const reasons: Readonly<Record<number, Status['reason']>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function errorOf(answer: Pick<HttpsAnswer<unknown>, 'status' | 'headers'>, body: Buffer): StatusError {
  const text = body.toString('utf8');
  let status: Partial<Status> = {};
  try {
    const parsed = JSON.parse(text) as Partial<Status> | null;
    if (parsed?.kind === 'Status') status = parsed;
  } catch {
    // Some proxy's page or a plain line: its text is all there is to say.
  }
  const reason = status.reason ?? reasons[answer.status];
  const message = status.message ?? (text.trim().slice(0, 1000) || `the server answered ${answer.status}`);
  const retryAfter = Number(answer.headers['retry-after']);
  const details = retryAfter > 0 ? { retryAfterSeconds: retryAfter, ...status.details } : status.details;
  return StatusError.fromStatus(
    {
      ...status,
      message,
      ...(reason !== undefined && { reason }),
      ...(details !== undefined && { details }),
    },
    answer.status,
  );
}
