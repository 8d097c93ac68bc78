// By what people and programs speak to the simulation through the API. A file of its own: the command line needs the names alone.

/** Nodes that carry it are run by the simulation. */
export const simulatedLabel = 'simulation.jotasu.dev/node';

/** Of a Node: `off` is a power-off; anything else, or none, is power. */
export const powerAnnotation = 'simulation.jotasu.dev/power';
/** Of a Node: `cut` = nothing gets in or out, and its pods run on. */
export const networkAnnotation = 'simulation.jotasu.dev/network';
/** Of a Node: everything it says arrives so much later, e.g. `2s`. */
export const delayAnnotation = 'simulation.jotasu.dev/delay';
/** Of a Node: conditions that are true, e.g. `MemoryPressure,DiskPressure`. */
export const conditionsAnnotation = 'simulation.jotasu.dev/conditions';

/** Of a pod: what it uses, e.g. `250m` and `1Gi`. */
export const cpuUsageAnnotation = 'simulation.jotasu.dev/cpu-usage';
export const memoryUsageAnnotation = 'simulation.jotasu.dev/memory-usage';
