'use client';
import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { follow } from './live';

/** Shows nothing; asks for the page again whenever the stream at `path` tells of a change, or missed some. */
export function LiveRefresh({ path }: { path: string }) {
  const router = useRouter();
  useEffect(() => {
    const refresh = () => router.refresh();
    return follow(path, {
      onNext: refresh,
      onOpen: (again) => again && refresh(),
      onEnd: refresh,
    });
  }, [path, router]);
  return null;
}
