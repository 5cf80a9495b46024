import { z } from 'zod';
import * as defaults from './defaults.ts';

export const tracing = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/ })
      .prefault(defaults.TRACING_ENDPOINT)
      .describe('Where a collector takes OTLP over HTTP.'),
    sample: z
      .number()
      .min(0)
      .max(1)
      .prefault(defaults.TRACING_SAMPLE)
      .describe(
        'Share of the traces that begin here and are told, 0 to 1. What one of `trustedProxies` has begun is told if it says so.',
      ),
    serviceName: z.string().min(1).max(100).prefault('fourseven').describe('What the proxy is called in a trace.'),
  })
  .optional()
  .describe(
    'Traces (W3C Trace Context), told to a collector by the SDK of OpenTelemetry, which is to be installed for it. Left out: none.',
  );
