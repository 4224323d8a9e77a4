'use client';
import { useRouter } from 'next/navigation';
import { useEffect } from 'react';

/** Shows nothing; asks for the page again whenever the stream at `path` tells of a change. */
export function LiveRefresh({ path }: { path: string }) {
  const router = useRouter();
  useEffect(() => {
    const source = new EventSource(path);
    source.addEventListener('next', () => router.refresh());
    source.addEventListener('complete', () => source.close());
    return () => source.close();
  }, [path, router]);
  return null;
}
