/** Grey shapes of the same size as what is coming, so that nothing jumps when it comes. */
export function ProductGridSkeleton({ count }: { count: number }) {
  return (
    <div role="status" aria-label="Loading products" className="product-grid">
      {Array.from({ length: count }, (_, at) => (
        <div key={at} className="card overflow-hidden">
          <div className="skeleton aspect-square rounded-none" />
          <div className="grid gap-2 p-4">
            <div className="skeleton h-4 w-4/5" />
            <div className="skeleton h-4 w-2/5" />
            <div className="skeleton h-5 w-1/3" />
          </div>
        </div>
      ))}
    </div>
  );
}

export function LinesSkeleton({ label, lines = 5 }: { label: string; lines?: number }) {
  return (
    <div role="status" aria-label={label} className="grid gap-4">
      {Array.from({ length: lines }, (_, at) => (
        <div key={at} className="skeleton h-20 w-full" />
      ))}
    </div>
  );
}

export function PageSkeleton({ label }: { label: string }) {
  return (
    <div className="shell py-10">
      <div className="skeleton mb-8 h-10 w-64 max-w-full" />
      <LinesSkeleton label={label} />
    </div>
  );
}
