/** The admin API in the words of OpenAPI 3.1. */
import { PRODUCT_VERSION } from '../product-version.ts';

const text = (description: string, type = 'text/plain') => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
});
const object = (description: string, schema: object = { type: 'object' }) => ({
  description,
  content: { 'application/json': { schema } },
});
const failureOf = (description: string) => object(description, { $ref: '#/components/schemas/Failure' });
const query = (name: string, description: string, required = false) => ({
  name,
  in: 'query',
  description,
  required,
  schema: { type: 'string' },
});
const pathParameter = (name: string, description: string) => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string' },
});

const ENDPOINT_PARAMETERS = [
  pathParameter('cluster', 'Name of the cluster.'),
  pathParameter('address', 'Address of the endpoint, as in the status or as configured.'),
];
const DEADLINE = query('deadline', 'As in `30s`: work that is left then is cut. Without it the one of the cluster.');

function endpointAction(summary: string, more: readonly object[]) {
  return {
    post: {
      summary,
      parameters: [...ENDPOINT_PARAMETERS, ...more],
      responses: {
        200: object('The new state.', { $ref: '#/components/schemas/EndpointStatus' }),
        400: failureOf('The path or the deadline is wrong.'),
        404: failureOf('There is no such endpoint.'),
      },
    },
  };
}

const ENDPOINT_STATUS = {
  type: 'object',
  properties: {
    cluster: { type: 'string' },
    address: { type: 'string' },
    weight: { type: 'integer' },
    health: { enum: ['unknown', 'healthy', 'unhealthy'] },
    admin: { enum: ['enabled', 'draining', 'disabled'] },
    ejectedUntil: { type: ['string', 'null'], format: 'date-time' },
    inFlight: { type: 'integer' },
  },
  required: ['address', 'weight', 'health', 'admin', 'ejectedUntil', 'inFlight'],
};

const OUTCOME = {
  type: 'object',
  properties: {
    configVersion: { type: 'integer' },
    rejected: {
      type: ['object', 'null'],
      properties: {
        at: { type: 'string', format: 'date-time' },
        problems: { type: 'array', items: { type: 'string' } },
      },
    },
  },
};

export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Fourseven admin API',
    version: PRODUCT_VERSION,
    description: 'Health, metrics, state and operations of one proxy. Bodies of requests are refused; errors are JSON.',
  },
  security: [{}, { token: [] }],
  paths: {
    '/': { get: { summary: 'The dashboard.', responses: { 200: text('The page.', 'text/html') } } },
    '/livez': {
      get: { summary: 'Whether the process lives.', security: [], responses: { 200: text('It does.') } },
    },
    '/readyz': {
      get: {
        summary: 'Whether the proxy accepts.',
        security: [],
        responses: { 200: text('It does.'), 503: text('It starts or drains.') },
      },
    },
    '/metrics': {
      get: {
        summary: 'Counters, gauges and histograms.',
        responses: { 200: text('Prometheus text, or OpenMetrics where `Accept` names it.') },
      },
    },
    '/api/status': {
      get: { summary: 'The state of everything.', responses: { 200: object('See docs/operations.md.') } },
    },
    '/api/events': {
      get: {
        summary: 'State, rates and latencies once a second, and what happens.',
        responses: {
          200: text('Server-sent events; each has one JSON object.', 'text/event-stream'),
          503: failureOf('Too many watch already.'),
        },
      },
    },
    '/api/openapi.json': { get: { summary: 'This description.', responses: { 200: object('OpenAPI 3.1.') } } },
    '/api/explain': {
      get: {
        summary: 'What would become of a request.',
        parameters: [
          query('url', '`http://host:port/path?query`, or a path.', true),
          query('method', 'GET without it.'),
          query('header', '`name: value`; may be repeated.'),
          query('source', 'Address of the client.'),
          query('listener', 'Name of the listener.'),
        ],
        responses: { 200: object('Which route takes it, and why.'), 400: failureOf('The question makes no sense.') },
      },
    },
    '/api/reload': {
      post: {
        summary: 'Read the configuration anew.',
        responses: {
          200: object('It is in force.', OUTCOME),
          409: failureOf('The proxy was not started from a file.'),
          422: object('It is wrong; the one before stays in force.', OUTCOME),
        },
      },
    },
    '/api/upgrade': {
      post: {
        summary: 'Start a successor on the same sockets.',
        responses: {
          200: object('It accepts.', { type: 'object', properties: { pid: { type: 'integer' } } }),
          409: failureOf('There can be none.'),
          500: failureOf('It did not get ready; everything is as before.'),
        },
      },
    },
    '/api/clusters/{cluster}/endpoints/{address}/drain': endpointAction('No new work but what its own clients bring.', [
      DEADLINE,
    ]),
    '/api/clusters/{cluster}/endpoints/{address}/disable': endpointAction('No new work at all.', [DEADLINE]),
    '/api/clusters/{cluster}/endpoints/{address}/enable': endpointAction('Back in service.', []),
  },
  components: {
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'Where `admin.token` is configured.' },
    },
    schemas: {
      Failure: { type: 'object', properties: { error: { type: 'string' } }, required: ['error'] },
      EndpointStatus: ENDPOINT_STATUS,
    },
  },
} as const;
