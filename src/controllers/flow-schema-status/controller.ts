// Tells each flow schema whether the priority level it leads to is there: what kubectl shows as MISSINGPL.
import { FlowSchema, PriorityLevelConfiguration } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';

/** The condition Dangling, but for its time. Pure. */
export function danglingCondition(level: string, exists: boolean) {
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return exists
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${named} and it exists` }
    : {
        type: 'Dangling',
        status: 'True',
        reason: 'NotFound',
        message: `${named} but there is no such object`,
      };
}

export const flowSchemaStatusController = defineController({
  name: 'flow-schema-status',
  reconciles: FlowSchema,
  watches: [
    maps(PriorityLevelConfiguration, ({ metadata }, lister) =>
      lister(FlowSchema)
        .list()
        .filter(({ spec }) => spec?.priorityLevelConfiguration.name === metadata.name)
        .map((schema) => schema.metadata.name),
    ),
  ],
  concurrency: 1,

  build({ lister, client, clock }) {
    const schemas = lister(FlowSchema);
    const levels = lister(PriorityLevelConfiguration);

    return async function reconcile(name) {
      const schema = schemas.get(name);
      const level = schema?.spec?.priorityLevelConfiguration.name;
      if (schema === undefined || level === undefined) return;
      const condition = danglingCondition(level, levels.get(level) !== undefined);
      const before = schema.status?.conditions?.find(({ type }) => type === condition.type);
      if (before?.status === condition.status && before.message === condition.message) return;
      const lastTransitionTime =
        before?.status === condition.status ? before.lastTransitionTime : formatTime(clock.nowMs());
      await client(FlowSchema)
        .patch({ name, subresource: 'status' }, 'strategic', {
          metadata: { uid: schema.metadata.uid },
          status: { conditions: [{ ...condition, lastTransitionTime }] },
        })
        .catch(ignoreNotFound);
    };
  },
});
