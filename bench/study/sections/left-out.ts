import type { Results } from '../../results.ts';
import { type Section, table } from '../report/document.ts';

/** What should be in the report, and is not. */
export function leftOutSection({ failures }: Results): Section | undefined {
  if (failures.length === 0) return undefined;
  return {
    id: 'left-out',
    title: 'What was left out',
    blocks: [
      table('Not measured', {
        columns: ['', 'where', 'why'],
        rows: failures.map(({ subject, where, reason }) => [
          subject,
          where,
          reason.trim().replaceAll(/\s*\n\s*/g, ' '),
        ]),
      }),
    ],
  };
}
