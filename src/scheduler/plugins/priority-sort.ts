// PrioritySort: the more important pod is tried first; among equals the queue goes by age.
import { definePlugin } from '../plugin.ts';

export const prioritySort = definePlugin({
  name: 'PrioritySort',
  before: (a, b) => a.priority > b.priority,
});
