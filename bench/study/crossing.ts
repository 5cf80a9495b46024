export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Where a curve first passes a level: `x` of it, between two measured points by a straight line over the logarithm of `x`. Undefined if it never
 * does. The points ascend in `x`.
 */
export function crossing(points: readonly Point[], level: number): number | undefined {
  for (let index = 1; index < points.length; index++) {
    const [a, b] = [points[index - 1]!, points[index]!];
    if ((a.y - level) * (b.y - level) > 0 || a.y === b.y) continue;
    const share = (level - a.y) / (b.y - a.y);
    return Math.exp(Math.log(a.x) + share * (Math.log(b.x) - Math.log(a.x)));
  }
  return undefined;
}
