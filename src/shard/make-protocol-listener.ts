import type { ListenerPlan } from '../contract/plan.ts';
import type { ProtocolListener } from '../downstream/protocol-listener.ts';
import { TcpListener } from '../l4/tcp-listener.ts';
import { HttpListener } from '../l7/http-listener.ts';
import type { ListenerContext } from '../upstream/listener-context.ts';

/** The corridor that a listener leads to. */
export function makeProtocolListener(context: ListenerContext, plan: ListenerPlan): ProtocolListener {
  switch (plan.protocol) {
    case 'tcp':
      return new TcpListener(context, plan);
    case 'http':
      return new HttpListener(context, plan);
  }
}
