/** What the study measures, part by part, in the words of the benchmark's command line. */
import { type Options, parseArguments } from '../arguments.ts';

const PROXIES = 'fourseven,haproxy,nginx';

/** Each part is a run of its own, with subjects of its own. */
const PARTS: readonly string[] = [
  `--only l4,l7,tls --loads kept --sizes small,1k,16k,128k,1m --subjects ${PROXIES}`,
  // With many connections none would arrive whole within a measurement.
  `--only l4,l7,tls --loads kept --sizes 16m --connections 4 --seconds 3 --subjects ${PROXIES}`,
  `--only l4,l7 --loads fresh,upload,messages --sizes small,16k,1m --subjects ${PROXIES}`,
  `--only l4,l7,tls --loads pipelined --sizes small,16k --subjects ${PROXIES}`,
  `--only l7 --loads unpooled --sizes small --subjects ${PROXIES}`,
  '--only l4,l7 --loads kept --sizes small,16k --subjects fourseven-node',
  '--only l7 --loads kept --sizes small,16k --subjects http-proxy,fastify',
  '--only l4 --loads kept,fresh --sizes small --subjects direct,dnat',
  `--only full,resumed --sizes small,16k --subjects ${PROXIES}`,
  '--only reencrypted,passed --loads kept,fresh --sizes small --subjects fourseven',
  `--only l4,l7 --loads kept --sizes small --connections 1,16,256,4096 --subjects ${PROXIES}`,
  `--only latency --latency-layers l4,l7 --shares 10,50,70,90 --sizes small --seconds 2 --subjects direct,${PROXIES}`,
  '--only latency --latency-layers l4,l7 --shares 10,50 --sizes 16k --seconds 2 --subjects direct,fourseven',
  // Between the points of the others: to see whether the prices predict.
  `--only l4,l7,tls --loads kept --sizes 4k,64k,512k --subjects ${PROXIES}`,
  `--only l4,l7 --loads fresh,upload,messages --sizes 64k --subjects ${PROXIES}`,
  `--only l4,l7 --loads kept --sizes small --connections 32,128 --subjects ${PROXIES}`,
  `--only full,resumed --sizes 4k --subjects ${PROXIES}`,
  `--only idle,start --idle 2000 --subjects ${PROXIES}`,
  '--only micro,claims',
];

/** For a first look: every kind of section, few figures in each. */
const QUICK_PARTS: readonly string[] = [
  '--only l4,l7,tls --loads kept --sizes small,16k,1m --subjects fourseven,haproxy',
  '--only l4,l7 --loads fresh,pipelined,upload,messages --sizes small,16k --subjects fourseven,haproxy',
  '--only l7 --loads unpooled --sizes small --subjects fourseven',
  '--only l4 --loads kept,fresh --sizes small --subjects direct,dnat',
  '--only full,passed,reencrypted --loads kept,fresh --sizes small --subjects fourseven',
  '--only l4,l7 --loads kept --sizes small --connections 1,16,256 --subjects fourseven',
  '--only l4,l7 --loads kept --sizes 4k,64k --subjects fourseven',
  '--only latency --latency-layers l4,l7 --shares 10,70 --sizes small --subjects direct,fourseven,haproxy',
  '--only micro,claims',
];

const FULL_LENGTH = '--rounds 4 --seconds 1';
const QUICK_LENGTH = '--rounds 2 --seconds 1';

/** The options of each part. `seed` is that of every schedule and of the fits. */
export function planOf(isQuick: boolean, seed: number): readonly Options[] {
  const parts = isQuick ? QUICK_PARTS : PARTS;
  return parts.map((part) => {
    // What a part says of its length counts.
    const words = `${isQuick ? QUICK_LENGTH : FULL_LENGTH} --seed ${seed} ${part}`.split(' ');
    const parsed = parseArguments(words);
    if (parsed.kind !== 'options') throw new Error(`the study asks for what the benchmark does not know: ${part}`);
    return parsed.options;
  });
}
