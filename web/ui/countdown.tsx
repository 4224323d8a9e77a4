'use client';
import { useEffect, useState } from 'react';
import { remainingText } from '@/lib/remaining';

type CountdownProps = {
  endsAt: string;
  /** The server's clock when the page was made: the reader's own clock may be wrong. */
  serverNow: string;
};

/** Time left until `endsAt`, by the server's clock. Silent for screen readers unless they look at it. */
export function Countdown({ endsAt, serverNow }: CountdownProps) {
  const atServer = Date.parse(endsAt) - Date.parse(serverNow);
  const [leftMs, setLeftMs] = useState(atServer);

  useEffect(() => {
    const startedMs = performance.now();
    const timer = setInterval(() => setLeftMs(atServer - (performance.now() - startedMs)), 1000);
    return () => clearInterval(timer);
  }, [atServer]);

  return (
    <time role="timer" dateTime={endsAt} className="tabular-nums">
      {remainingText(leftMs)}
    </time>
  );
}
