/** What the study measures, part by part, in the words of the benchmark's command line. */
import { type Options, parseArguments } from '../arguments.ts';
import { roundOrder } from '../statistics.ts';

const PROXIES = 'fourseven,haproxy,nginx';

/** A round goes through all of these parts, each with processes of its own: a figure is of processes and minutes far apart. */
const ROUND_PARTS: readonly string[] = [
  // With sizes and counts of connections that the prices are not fitted to (observations.ts).
  `--only l4,l7,tls --loads kept --sizes small,1k,4k,16k,64k,128k,256k,512k,1m --subjects ${PROXIES}`,
  // With many connections none would arrive whole within a measurement.
  `--only l4,l7,tls --loads kept --sizes 16m --connections 4 --seconds 3 --subjects ${PROXIES}`,
  `--only l4,l7 --loads fresh,upload,messages --sizes small,16k,64k,128k,1m --subjects ${PROXIES}`,
  `--only l4,l7,tls --loads pipelined --sizes small,16k --subjects ${PROXIES}`,
  `--only l7 --loads unpooled --sizes small --subjects ${PROXIES}`,
  `--only full,resumed --sizes small,4k,16k --subjects ${PROXIES}`,
  '--only reencrypted,passed --loads kept,fresh --sizes small --subjects fourseven',
  `--only l4,l7 --loads kept --sizes small --connections 1,16,32,128,192,256,4096 --subjects ${PROXIES}`,
  '--only l4,l7 --loads kept --sizes small,16k --subjects fourseven-node',
  '--only l7 --loads kept --sizes small,16k --subjects http-proxy,fastify',
  '--only l4 --loads kept,fresh --sizes small --subjects direct,dnat',
  `--only latency --latency-layers l4,l7 --shares 10,50,70,90 --sizes small --seconds 2 --subjects direct,${PROXIES}`,
  '--only latency --latency-layers l4,l7 --shares 10,50 --sizes 16k --seconds 2 --subjects direct,fourseven',
  `--only idle,start --idle 2000 --subjects ${PROXIES}`,
  '--only micro',
];
/** Played once: a verdict, not a figure with a spread. */
const LAST_PART = '--only claims';

/** For a first look: every kind of section, few figures in each. */
const QUICK_ROUND_PARTS: readonly string[] = [
  '--only l4,l7,tls --loads kept --sizes small,4k,16k,64k,1m --subjects fourseven,haproxy',
  '--only l4,l7 --loads fresh,pipelined,upload,messages --sizes small,16k --subjects fourseven,haproxy',
  '--only l7 --loads unpooled --sizes small --subjects fourseven',
  '--only l4 --loads kept,fresh --sizes small --subjects direct,dnat',
  '--only full,passed,reencrypted --loads kept,fresh --sizes small --subjects fourseven',
  '--only l4,l7 --loads kept --sizes small --connections 1,16,256 --subjects fourseven',
  '--only latency --latency-layers l4,l7 --shares 10,70 --sizes small --subjects direct,fourseven,haproxy',
  '--only micro',
];

const FULL = { rounds: 5, parts: ROUND_PARTS };
const QUICK = { rounds: 2, parts: QUICK_ROUND_PARTS };

/** The options of each run of the study, in their order. `seed` is that of every schedule and of the fits. */
export function planOf(isQuick: boolean, seed: number): readonly Options[] {
  const { rounds, parts } = isQuick ? QUICK : FULL;
  return [
    ...Array.from({ length: rounds }, (_, round) =>
      roundOrder(parts, round).map((part) => ({ ...optionsOf(part, seed), firstRound: round })),
    ).flat(),
    optionsOf(`--rounds ${rounds} ${LAST_PART}`, seed),
  ];
}

function optionsOf(part: string, seed: number): Options {
  // What a part says of its length counts.
  const parsed = parseArguments(`--rounds 1 --seconds 1 --seed ${seed} ${part}`.split(' '));
  if (parsed.kind !== 'options') throw new Error(`the study asks for what the benchmark does not know: ${part}`);
  return parsed.options;
}
