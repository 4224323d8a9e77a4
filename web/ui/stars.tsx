/** A rating out of five: five stars filled to the tenth, and the number for those who do not see them. */
export function Stars({ average, count }: { average: number; count?: number }) {
  const shown = average.toFixed(1);
  return (
    <span className="inline-flex items-center gap-1.5 text-sm">
      <svg viewBox="0 0 100 20" className="h-4 w-20 text-gold" aria-hidden="true">
        {[0, 1, 2, 3, 4].map((at) => (
          <Star key={at} at={at} filled={Math.min(1, Math.max(0, average - at))} />
        ))}
      </svg>
      <span className="font-semibold text-ink">{shown}</span>
      <span className="sr-only">out of 5 stars</span>
      {count === undefined ? null : (
        <span className="text-muted">
          ({count}
          <span className="sr-only"> {count === 1 ? 'review' : 'reviews'}</span>)
        </span>
      )}
    </span>
  );
}

const starPath = 'M10 1.8l2.5 5.2 5.7.8-4.1 4 1 5.7L10 14.8l-5.1 2.7 1-5.7-4.1-4 5.7-.8Z';

function Star({ at, filled }: { at: number; filled: number }) {
  return (
    <g transform={`translate(${at * 20} 0)`}>
      <path d={starPath} fill="currentColor" opacity="0.25" />
      <svg width={20 * filled} height="20" viewBox={`0 0 ${20 * filled || 0.01} 20`}>
        <path d={starPath} fill="currentColor" />
      </svg>
    </g>
  );
}
