const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** A duration as an auction shows it: two units, seconds only in the last hour. */
export function remainingText(leftMs: number): string {
  if (leftMs <= 0) return 'ended';
  const part = (unitMs: number, withinMs: number) => Math.floor((leftMs % withinMs) / unitMs);
  const days = Math.floor(leftMs / dayMs);
  if (days > 0) return `${days} d ${part(hourMs, dayMs)} h`;
  const hours = part(hourMs, dayMs);
  if (hours > 0) return `${hours} h ${part(minuteMs, hourMs)} min`;
  return `${part(minuteMs, hourMs)} min ${part(secondMs, minuteMs)} s`;
}
