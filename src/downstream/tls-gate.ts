/**
 * Stands before the corridor of a listener with `tls`: it reads the ClientHello and says where its connection goes: on untouched, or to the
 * context that ends TLS here, after which the corridor gets the connection as if it were plain.
 *
 *     accepted ─▶ hello read ─┬─▶ SECURE ─▶ SECURED ─▶ next
 *                             └─▶ passthrough
 */
import { X509Certificate } from 'node:crypto';
import type { ListenerTlsPlan, PassthroughPlan } from '../contract/plan.ts';
import { asciiBytes } from '../core/bytes.ts';
import type { Dispatcher } from '../engine/dispatcher.ts';
import { SECURED_WITH_CERTIFICATE } from '../engine/protocol.ts';
import type { SecureContexts } from '../engine/secure-contexts.ts';
import type { LatencyHistogram } from '../observe/latency-histogram.ts';
import { ClientAddress } from './client-address.ts';
import { ClientHello, HELLO_ABSENT, HELLO_NEEDS_MORE, readClientHello } from './client-hello.ts';
import { Gate, Newcomer } from './gate.ts';
import type { Entrance } from './protocol-listener.ts';
import { ServerNames } from './server-names.ts';

/** For the whole hello. */
const HELLO_TIMEOUT_MS = 5_000;
/** From the hello on; a client may be far away, and its line slow. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For what is left of either when the listener ends. */
const ENDING_TIMEOUT_MS = 1_000;
const REFUSAL_LINGER_MS = 1_000;

/** RFC 8737 section 4. */
const ACME_TLS_PROTOCOL = 'acme-tls/1';

const PLAIN_HTTP_TEXT = 'This port speaks TLS: use https.\n';
/** For who speaks plain HTTP. */
const PLAIN_HTTP_ANSWER = asciiBytes(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${PLAIN_HTTP_TEXT.length}\r\nConnection: close\r\n\r\n${PLAIN_HTTP_TEXT}`,
);
const LETTER_A = 0x41;
const LETTER_Z = 0x5a;

/** Where a name leads. */
interface Way {
  /** Index of the passthrough rule, or -1. */
  readonly passthrough: number;
  readonly protocols: readonly string[];
  /** Taken where no protocol fits. */
  readonly next: Way | undefined;
}

export class TlsGate extends Gate {
  /** By the rules of `passthrough`. */
  branches: readonly Entrance[] = [];
  /** How long handshakes take. */
  readonly times: LatencyHistogram;
  readonly #contexts: SecureContexts;
  readonly #answersHttp: boolean;
  #plan: ListenerTlsPlan | undefined;
  #handles: readonly number[] = [];
  #names = new ServerNames<number>([]);
  #ways = new ServerNames<Way>([]);
  /** Undefined but for the moments in which an authority looks. */
  #challenges: ReadonlyMap<string, number> | undefined;

  /** `answersHttp`: whether clients that forget TLS are told so in HTTP. */
  constructor(
    dispatcher: Dispatcher,
    contexts: SecureContexts,
    times: LatencyHistogram,
    next: Entrance,
    answersHttp: boolean,
  ) {
    super(dispatcher, next);
    this.times = times;
    this.#contexts = contexts;
    this.#answersHttp = answersHttp;
  }

  /** For connections to come. Undefined: none come, and those that wait have nobody to wait for. */
  apply(plan: ListenerTlsPlan | undefined): void {
    if (plan === undefined) this.closeAll();
    const before = this.#plan;
    this.#plan = plan;
    this.#handles = plan?.contexts.map((context) => this.#contexts.acquire(context)) ?? [];
    // Later: what stays the same is not made anew.
    for (const context of before?.contexts ?? []) this.#contexts.release(context);
    this.#names = new ServerNames(plan?.names.map(({ name, context }) => [name, context]) ?? []);
    this.#ways = new ServerNames(waysOf(plan?.passthrough ?? []));
    this.#challenges = plan?.challenges && new Map(plan.challenges.map(({ name, context }) => [name, context]));
  }

  onAccepted(id: number, family: number, port: number, addressOffset: number): void {
    const client = new ClientAddress();
    client.read(family, port, this.dispatcher.engine.events, addressOffset);
    this.adopt(id, client, undefined);
  }

  adopt(id: number, client: ClientAddress, destination: ClientAddress | undefined): void {
    this.waitFor(new TlsOpening(this, id, client.clone(), destination), HELLO_TIMEOUT_MS);
  }

  /** Whether everything that no rule names goes on as it is, TLS or not. */
  get passesOthers(): boolean {
    return this.#handles.length === 0;
  }

  get answersHttp(): boolean {
    return this.#answersHttp;
  }

  /** The rule of `passthrough` for this hello, or -1. */
  branchOf({ serverName, protocols }: ClientHello): number {
    if (serverName === '') return -1;
    let way = this.#ways.find(serverName);
    while (way !== undefined) {
      const { protocols: wanted } = way;
      if (wanted.length === 0 || protocols.some((name) => wanted.includes(name))) return way.passthrough;
      way = way.next;
    }
    return -1;
  }

  /** The context for a name: the fallback's if nobody has it. */
  contextOf({ serverName, protocols }: ClientHello): number {
    const challenge = this.#challenges?.get(serverName);
    if (challenge !== undefined && protocols.includes(ACME_TLS_PROTOCOL)) return challenge;
    const found = serverName === '' ? undefined : this.#names.find(serverName);
    return found ?? this.#plan!.fallback;
  }

  handleOf(context: number): number {
    return this.#handles[context]!;
  }

  policyOf(context: number): number {
    return this.#plan?.policies[context] ?? 0;
  }

  /** Whoever ends here has not shown a hello, or has not come to the end of the handshake. */
  override over(opening: Newcomer): void {
    if (this.waiting.has(opening)) this.refusedCount++;
    super.over(opening);
  }

  /** The listening socket is going away: who has begun may finish, and go on to the corridor, but not for long. */
  endSoon(): void {
    for (const { id } of this.waiting) this.dispatcher.commands.deadline(id, ENDING_TIMEOUT_MS);
  }
}

/** Several rules may name the same server, and differ in the protocol. */
function* waysOf(rules: readonly PassthroughPlan[]): Generator<readonly [string, Way]> {
  const byName = new Map<string, Way>();
  for (const [index, { names, protocols }] of [...rules.entries()].reverse()) {
    for (const name of names) byName.set(name, { passthrough: index, protocols, next: byName.get(name) });
  }
  yield* byName;
}

/** A connection from its accept until TLS is established, or it is passed on. */
class TlsOpening extends Newcomer {
  readonly #gate: TlsGate;
  readonly #client: ClientAddress;
  readonly #destination: ClientAddress | undefined;
  /** Index of the context that ends TLS, once the hello has been read. */
  #context = -1;
  #policy = 0;
  #hasBytes = false;
  /** When its hello was whole. */
  #helloMs = 0.5;

  constructor(gate: TlsGate, id: number, client: ClientAddress, destination: ClientAddress | undefined) {
    super(gate, id);
    this.#gate = gate;
    this.#client = client;
    this.#destination = destination;
  }

  onData(id: number, offset: number, length: number, ended: boolean): void {
    const { dispatcher } = this.#gate;
    this.#hasBytes = true;
    const hello = new ClientHello();
    const result = readClientHello(dispatcher.engine.slab, offset, offset + length, hello);
    if (result === HELLO_NEEDS_MORE) {
      dispatcher.commands.hold(id, offset, length);
      return;
    }
    const isHello = result > 0;
    const branch = isHello ? this.#gate.branchOf(hello) : -1;
    if (branch >= 0) this.#pass(this.#gate.branches[branch]!, offset, length, ended);
    else if (this.#gate.passesOthers) this.#pass(this.#gate.next, offset, length, ended);
    else if (isHello) this.#secure(hello, offset, length);
    else this.#refuse(result, offset);
  }

  #secure(hello: ClientHello, offset: number, length: number): void {
    const { commands } = this.#gate.dispatcher;
    this.#helloMs = this.#gate.dispatcher.nowMs;
    this.#context = this.#gate.contextOf(hello);
    // As they were when it began: a reload may come in between.
    this.#policy = this.#gate.policyOf(this.#context);
    commands.secure(this.id, this.#gate.handleOf(this.#context), offset, length);
    commands.deadline(this.id, HANDSHAKE_TIMEOUT_MS);
  }

  onSecured(id: number, _version: number, flags: number): void {
    const { engine } = this.#gate.dispatcher;
    this.#gate.times.record(this.#gate.dispatcher.nowMs - this.#helloMs);
    const der = (flags & SECURED_WITH_CERTIFICATE) !== 0 ? engine.peerCertificate(id) : undefined;
    this.#client.secure = { policy: this.#policy, certificate: der && new X509Certificate(der) };
    this.#pass(this.#gate.next, 0, 0, false);
  }

  #pass(next: Entrance, offset: number, length: number, ended: boolean): void {
    this.handOver(next, this.#client, this.#destination, offset, length, ended);
  }

  onDeadline(): void {
    // A server may have the first word, as with databases: then nobody has said a name.
    if (this.#gate.passesOthers && !this.#hasBytes) this.#pass(this.#gate.next, 0, 0, false);
    else this.close();
  }

  #refuse(result: number, offset: number): void {
    const { dispatcher, answersHttp } = this.#gate;
    const first = dispatcher.engine.slab[offset]!;
    if (result !== HELLO_ABSENT || !answersHttp || first < LETTER_A || first > LETTER_Z) {
      this.close();
      return;
    }
    dispatcher.reserveScratch(PLAIN_HTTP_ANSWER.length);
    const at = dispatcher.scratch.take(PLAIN_HTTP_ANSWER.length);
    dispatcher.scratch.bytes.set(PLAIN_HTTP_ANSWER, at);
    dispatcher.commands.send(this.id, 0, 0, at, PLAIN_HTTP_ANSWER.length);
    dispatcher.unbind(this.id);
    dispatcher.commands.closeLingering(this.id, REFUSAL_LINGER_MS);
    this.#gate.over(this);
  }
}
