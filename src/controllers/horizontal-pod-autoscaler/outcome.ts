// A result, or why there is none, as a value.

export interface Failure {
  readonly failure: string;
}

export const isFailure = (outcome: object): outcome is Failure => 'failure' in outcome;
