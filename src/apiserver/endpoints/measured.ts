// What is measured of one request on its way.
import type { Clock } from '../../base/index.ts';
import type { HttpResponse } from '../../http/index.ts';
import { Visit } from '../flow-control/priority-level.ts';
import type { RequestSeries } from './metrics-requests.ts';

export class Measured extends Visit {
  readonly startedMs: number;
  /** null = it is not counted, or no longer here. */
  series: RequestSeries | null = null;

  constructor(startedMs: number) {
    super();
    this.startedMs = startedMs;
  }

  /** A watch or stream is counted when its connection has ended. */
  lasts(series: RequestSeries, response: HttpResponse, clock: Clock): void {
    series.running(1);
    response.once('close', () => {
      series.running(-1);
      series.finished(response.statusCode, clock.monotonicMs() - this.startedMs);
    });
  }
}
