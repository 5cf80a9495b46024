/**
 * What becomes of a request, and why: the very router and forwarders of the data plane, on a slab of their own, with no connection behind them.
 */
import type { Config, HttpListenerConfig } from '../config/config.ts';
import type { ForwardAction, HttpListenerPlan, RoutePlan } from '../contract/plan.ts';
import { compileListener } from '../control/compile-plan.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { invariant } from '../core/invariant.ts';
import { ADDRESS_TEXT_MAX_BYTES, type ClientAddress } from '../downstream/client-address.ts';
import { Dispatcher } from '../engine/dispatcher.ts';
import { compileDirectResponse } from '../l7/direct-response.ts';
import { Forwarding } from '../l7/forwarded.ts';
import { forwardRequestHead } from '../l7/h1/forward-request.ts';
import { Method, RequestHead, TargetForm } from '../l7/h1/request-head.ts';
import { parseRequestHead } from '../l7/h1/request-parser.ts';
import { REQUEST_REFUSALS } from '../l7/h1/request-refusals.ts';
import { pathOptionsOf } from '../l7/http-plan.ts';
import { normalizePath, PATH_REFUSED, PATH_UNCHANGED } from '../l7/path.ts';
import { Prepared } from '../l7/prepared.ts';
import { compileRequestChanges } from '../l7/request-changes.ts';
import { REQUEST_ID_BYTES } from '../l7/request-id.ts';
import { compileRoutes, ROUTE_NONE } from '../l7/routing/router.ts';
import type { Answered, ExplainRequest, Explanation, Forwarded, Refused } from './explanation.ts';
import { PaperEngine } from './paper-engine.ts';
import { findListener, headText, sourceAddress } from './question.ts';
import { type Ask, advantageOf, objectionTo } from './why.ts';

/** Never a connection's id: the engine is of paper. */
const NOBODY = 1;
/** Only a request without Host would be told its endpoint's address, and ours has one. */
const NO_ENDPOINT = '';

/** Throws QuestionError if the question itself is wrong. Takes any number of routes, and about a millisecond for each hundred. */
export function explainRequest(config: Config, request: ExplainRequest): Explanation {
  return new Explainer(config, findListener(config, request)).explain(
    headText(request),
    sourceAddress(request.source ?? '127.0.0.1'),
  );
}

/** An explanation is the same each time. */
const NO_IDS = {
  write: (bytes: Uint8Array, offset: number): void => {
    bytes.fill(0x30, offset, offset + REQUEST_ID_BYTES);
  },
};

class Explainer {
  readonly #config: Config;
  readonly #plan: HttpListenerPlan;
  readonly #engine = new PaperEngine();
  readonly #dispatcher = new Dispatcher(this.#engine);
  readonly #forwarding: Forwarding;
  readonly #head: RequestHead;
  #pathStart = 0;
  #pathEnd = 0;

  constructor(config: Config, listener: HttpListenerConfig) {
    const clusters = new Map(config.clusters.map(({ name }, index) => [name, index]));
    const plan = compileListener(listener, 0, (name) => clusters.get(name)!);
    invariant(plan.protocol === 'http', 'an http listener stays one');
    this.#config = config;
    this.#plan = plan;
    this.#forwarding = new Forwarding(plan, this.#dispatcher.constants, NO_IDS);
    this.#head = new RequestHead(plan.limits.headersMaxCount);
  }

  explain(text: string, peer: ClientAddress): Explanation {
    const refusal = this.#read(text);
    const client = refusal === undefined ? this.#forwarding.clientOf(this.#engine.slab, this.#head, peer) : peer;
    const base = { listener: this.#plan.name, client: addressText(client) };
    if (refusal !== undefined) return { ...base, route: undefined, routes: [], outcome: refused(refusal) };

    const ask: Ask = (router) => router.match(this.#engine.slab, this.#head, this.#pathStart, this.#pathEnd, client);
    const taken = ask(compileRoutes(this.#plan.routes));
    const routes = this.#plan.routes.map((route, index) => ({
      name: route.name,
      takes: index === taken,
      reason: this.#reasonOf(route, taken, index, ask),
    }));
    const route = this.#plan.routes[taken];
    const outcome = route === undefined ? refused('no_route') : this.#outcomeOf(route, peer);
    return { ...base, route: route?.name, routes, outcome };
  }

  /** Puts the head on the slab, as if it had been received. Returns why it is refused, if it is. */
  #read(text: string): ErrorCode | undefined {
    const { slab } = this.#engine;
    const length = Buffer.from(slab.buffer).write(text, 0, 'utf8');
    const result = parseRequestHead(slab, 0, length, this.#plan.limits, this.#head);
    if (result <= 0) return REQUEST_REFUSALS[-result]!;
    if ((this.#head.traits & this.#forwarding.refusedTraits) !== 0) return 'malformed_request';
    this.#pathStart = this.#head.pathStart;
    this.#pathEnd = this.#head.pathEnd;
    return this.#head.targetForm === TargetForm.ASTERISK ? undefined : this.#normalize();
  }

  #normalize(): ErrorCode | undefined {
    const { slab } = this.#engine;
    const room = this.#pathEnd - this.#pathStart + 1;
    const offset = this.#dispatcher.scratch.take(room);
    const length = normalizePath(slab, this.#pathStart, this.#pathEnd, slab, offset, pathOptionsOf(this.#plan));
    if (length === PATH_REFUSED) return 'path_refused';
    if (length === PATH_UNCHANGED) return undefined;
    this.#pathStart = offset;
    this.#pathEnd = offset + length;
    return undefined;
  }

  #reasonOf({ match }: RoutePlan, taken: number, index: number, ask: Ask): string {
    const objection = objectionTo(match, ask);
    if (objection !== undefined) return objection;
    const winner = this.#plan.routes[taken];
    if (index === taken || taken === ROUTE_NONE || winner === undefined) return 'matches';
    return `matches as well, but ${winner.name} ${advantageOf(winner.match, match, ask)}`;
  }

  #outcomeOf(route: RoutePlan, peer: ClientAddress): Answered | Forwarded | Refused {
    const { action } = route;
    if (action.kind === 'forward') return this.#forward(route, action, peer);
    const response = compileDirectResponse(route, action, this.#plan.tls === undefined ? 'http' : 'https');
    const hasBody = this.#head.method !== Method.HEAD;
    const closes = this.#head.keepAlive === 0;
    const sent = response.send(this.#dispatcher, NOBODY, this.#head, this.#pathStart, this.#pathEnd, closes, hasBody);
    if (sent < 0) return refused('host_refused');
    return {
      kind: 'answered',
      status: response.status,
      response: Buffer.from(this.#sent(), 'latin1').toString('utf8'),
    };
  }

  #forward(route: RoutePlan, action: ForwardAction, peer: ClientAddress): Forwarded {
    const { commands, scratch, constants } = this.#dispatcher;
    const changes = compileRequestChanges(action, route.match);
    const clusters = action.clusters
      .filter(({ weight }) => weight > 0)
      .map(({ cluster, weight }) => {
        const { name, policy, endpoints } = this.#config.clusters[cluster]!;
        return {
          name,
          weight,
          policy,
          endpoints: endpoints.map((endpoint) => ({ address: endpoint.name, weight: endpoint.weight })),
        };
      });
    commands.beginSend(NOBODY, 0, 0);
    forwardRequestHead(
      commands,
      scratch,
      new Prepared(constants),
      this.#head,
      this.#forwarding,
      changes,
      peer,
      this.#pathStart,
      this.#pathEnd,
      NO_ENDPOINT,
    );
    commands.endSend();
    return { kind: 'forwarded', request: this.#sent(), timeoutMs: action.timeoutMs, clusters };
  }

  #sent(): string {
    this.#dispatcher.commands.flush();
    return this.#engine.sent;
  }
}

const REASONS: Partial<Record<ErrorCode, string>> = {
  malformed_request: 'the request is malformed',
  path_refused: 'the path has an escape or a character that is refused',
  host_refused: 'the host is missing, or is none',
  method_refused: 'CONNECT is refused',
  no_route: 'no route matches',
  target_too_long: 'the request line is too long',
  head_too_large: 'the head is too large',
};

function refused(code: ErrorCode): Refused {
  return { kind: 'refused', status: ERRORS[code].status, reason: REASONS[code] ?? code.replaceAll('_', ' ') };
}

function addressText(client: ClientAddress): string {
  const bytes = new Uint8Array(ADDRESS_TEXT_MAX_BYTES);
  return Buffer.from(bytes.subarray(0, client.write(bytes, 0))).toString('latin1');
}
