/** How figures are written. A figure that does not exist is a dash. */

const NO_FIGURE = '–';

/** Three or four significant digits, enough for figures that repeat within a percent: 9.87, 10.35, 566, 1,024. */
export function formatFigure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return NO_FIGURE;
  return value < 100 ? value.toFixed(2) : formatCount(value);
}

export function formatRatio(value: number | undefined): string {
  return value === undefined ? NO_FIGURE : value.toFixed(2);
}

/** Whole, with a thin structure for the eye: 71,234. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return NO_FIGURE;
  return value.toFixed(0).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

export function formatPercent(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(0)} %` : NO_FIGURE;
}
