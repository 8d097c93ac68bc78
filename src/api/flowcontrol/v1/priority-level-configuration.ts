// PriorityLevelConfiguration: how many requests of a level run at once, and what becomes of the rest.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type {
  LimitResponse,
  PriorityLevelConfiguration as PriorityLevelConfigurationObject,
  QueuingConfiguration,
} from '../../generated/flowcontrol-v1.ts';
import { shape } from '../../shape.ts';
import { validateFlowConditions } from './flow-conditions.ts';

export type PriorityLevelConfiguration = PriorityLevelConfigurationObject;

const maxQueues = 10_000_000;
const maxHashBits = 60;

const queuingText =
  (name: keyof QueuingConfiguration) =>
  ({ spec }: PriorityLevelConfigurationObject): string | number =>
    spec?.limited?.limitResponse?.queuing?.[name] ?? '<none>';

export const PriorityLevelConfiguration = defineKind<PriorityLevelConfigurationObject>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  scope: 'Cluster',
  schema: shape('flowcontrol.v1.PriorityLevelConfiguration'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Type', 'Limited, or exempt from limits.', ({ spec }) => spec?.type ?? ''),
    textColumn(
      'NominalConcurrencyShares',
      'Its share of what the server does at once.',
      ({ spec }) => (spec?.limited ?? spec?.exempt)?.nominalConcurrencyShares ?? '<none>',
    ),
    textColumn('Queues', 'How many queues it has.', queuingText('queues')),
    textColumn('HandSize', 'Among how many queues a flow may choose.', queuingText('handSize')),
    textColumn('QueueLengthLimit', 'How long a queue may get.', queuingText('queueLengthLimit')),
    ageColumn,
  ],

  defaults({ spec }) {
    const { limited, exempt } = spec;
    if (exempt !== undefined) {
      exempt.nominalConcurrencyShares ??= 0;
      exempt.lendablePercent ??= 0;
    }
    if (limited === undefined) return;
    limited.nominalConcurrencyShares ??= 30;
    limited.lendablePercent ??= 0;
    const queuing = limited.limitResponse?.queuing;
    if (queuing === undefined) return;
    queuing.handSize ||= 8;
    queuing.queues ||= 64;
    queuing.queueLengthLimit ||= 50;
  },

  validate({ metadata, spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    const { type, limited, exempt } = spec;
    if ((metadata.name === 'exempt') !== (type === 'Exempt'))
      field.child('type').invalid(type, "type must be 'Exempt' if and only if name is 'exempt'");
    if (type === 'Exempt') {
      if (limited !== undefined) field.child('limited').forbidden('must be nil if the type is not Limited');
    } else if (type === 'Limited') {
      if (exempt !== undefined) field.child('exempt').forbidden('must be nil if the type is Limited');
      if (limited === undefined) field.child('limited').required('must not be empty when type is Limited');
    } else field.child('type').notSupported(type, ['Exempt', 'Limited']);
    for (const [name, level] of [
      ['limited', limited],
      ['exempt', exempt],
    ] as const) {
      if (level === undefined || type !== (name === 'limited' ? 'Limited' : 'Exempt')) continue;
      const here = field.child(name);
      const { nominalConcurrencyShares: shares = 0, lendablePercent: lendable = 0 } = level;
      if (shares < 0)
        here.child('nominalConcurrencyShares').invalid(shares, 'must be a non-negative integer');
      if (lendable < 0 || lendable > 100)
        here.child('lendablePercent').invalid(lendable, 'must be between 0 and 100, inclusive');
    }
    if (type !== 'Limited' || limited === undefined) return;
    const borrowing = limited.borrowingLimitPercent;
    if (borrowing !== undefined && borrowing < 0)
      field
        .child('limited', 'borrowingLimitPercent')
        .invalid(borrowing, 'if specified, must be a non-negative integer');
    validateLimitResponse(limited.limitResponse ?? { type: '' }, field.child('limited', 'limitResponse'));
  },

  validateStatus({ status }, _old, causes) {
    validateFlowConditions(status?.conditions ?? [], new FieldAt('status', causes).child('conditions'));
  },
});

function validateLimitResponse({ type, queuing }: LimitResponse, field: FieldAt): void {
  const here = field.child('queuing');
  if (type === 'Reject') {
    if (queuing !== undefined) here.forbidden('must be nil if limited.limitResponse.type is not Limited');
  } else if (type !== 'Queue') field.child('type').notSupported(type, ['Queue', 'Reject']);
  else if (queuing === undefined) here.required('must not be empty if limited.limitResponse.type is Limited');
  else validateQueuing(queuing, here);
}

function validateQueuing(queuing: QueuingConfiguration, field: FieldAt): void {
  const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing;
  if (queueLengthLimit <= 0) field.child('queueLengthLimit').invalid(queueLengthLimit, 'must be positive');
  if (queues <= 0) field.child('queues').invalid(queues, 'must be positive');
  else if (queues > maxQueues) field.child('queues').invalid(queues, `must not be greater than ${maxQueues}`);
  const hand = field.child('handSize');
  if (handSize <= 0) hand.invalid(handSize, 'must be positive');
  else if (handSize > queues) hand.invalid(handSize, `should not be greater than queues (${queues})`);
  else if (entropyBits(queues, handSize) > maxHashBits)
    hand.invalid(
      handSize,
      `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`,
    );
}

/** How many bits it takes to deal a hand. Stops once there are too many. */
function entropyBits(deck: number, hand: number): number {
  let bits = 0;
  for (let i = 0; i < hand && bits <= maxHashBits; i++) bits += Math.log2(deck - i);
  return Math.ceil(bits);
}
