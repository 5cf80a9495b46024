/** grpc.health.v1.Health/Check (github.com/grpc/grpc, doc/health-checking.md) over HTTP/2 with prior knowledge. */
import type { GrpcCheckConfig } from '../../config/cluster-config.ts';
import { faultOf, type OpenConnection, type Probe, type Verdict } from './probe.ts';

const ANSWER_MAX_BYTES = 1024;
/** A flag (not compressed) and the length of the message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;
/** HealthCheckRequest.service: field 1, length-delimited. */
const SERVICE_TAG = 0x0a;
/** HealthCheckResponse.status: field 1, varint. */
const STATUS_TAG = 0x08;
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;

/** Passed if the service says SERVING. */
export function grpcProbe({ service }: GrpcCheckConfig, open: OpenConnection): Probe {
  const question = frameOf(service);
  // Loaded here: every start would pay for it.
  const { connect } = process.getBuiltinModule('node:http2');
  return (target, settle) => {
    const session = connect('http://localhost', { createConnection: () => open(target, ['h2']) });
    session.on('error', (error) => settle(faultOf(error)));
    session.on('close', () => settle('the connection was closed'));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let fault: Verdict;
    let answer = Buffer.alloc(0);
    const judge = (headers: Record<string, unknown>) => {
      const status = headers['grpc-status'];
      if (status !== undefined && status !== '0') fault = `grpc-status ${status}`;
    };
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) fault = `status ${headers[':status']}`;
      judge(headers);
    });
    stream.on('trailers', judge);
    stream.on('data', (chunk: Buffer) => {
      if (answer.length + chunk.length > ANSWER_MAX_BYTES) settle('the answer is too long');
      else answer = Buffer.concat([answer, chunk]);
    });
    stream.on('end', () => settle(fault ?? faultOfAnswer(answer)));
    stream.on('error', (error) => settle(faultOf(error)));
    stream.end(question);
    return () => session.destroy();
  };
}

function frameOf(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.of(SERVICE_TAG), varint(name.length), name]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): Buffer {
  return value < 0x80 ? Buffer.of(value) : Buffer.of((value & 0x7f) | 0x80, value >>> 7);
}

/** A message without the field says 0, which is what is never written (protobuf.dev, "Default Field Values"). */
function faultOfAnswer(answer: Buffer): Verdict {
  if (answer.length < PREFIX_BYTES) return 'there is no answer';
  const message = answer.subarray(PREFIX_BYTES);
  if (answer[0] !== 0 || answer.readUInt32BE(1) !== message.length) return 'the answer is malformed';
  const status = message[0] === STATUS_TAG ? (message[1] ?? 0) : 0;
  return status === SERVING ? undefined : `it says ${STATUSES[status] ?? status}`;
}
