// Follows a live stream of ours for as long as somebody looks at the page. No React in here.
//
// A stream ends for many reasons that are no reason to stop listening: the access token it was opened with is over, the
// gateway restarts, the network is away. So it is opened again, after a pause that grows. A hidden page keeps no
// stream: a browser opens six connections to one origin at most, for all tabs together.

export type LiveHandlers = {
  /** News; the text is what the gateway said. */
  onNext: (data: string) => void;
  /** The stream is open; `again` when it was open before, so that news in between were missed. */
  onOpen?: (again: boolean) => void;
  /** There is nothing to follow any more, though there was before. */
  onEnd?: () => void;
};

const firstPauseMs = 1000;
export const longestPauseMs = 60_000;
/** A stream that was there for as long is a good one: after it the pauses begin anew. */
const goodAfterMs = 30_000;

/** Follows the stream at `path` until the answer is 204, or the function it returns is called. */
export function follow(path: string, { onNext, onOpen, onEnd }: LiveHandlers): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let probe: AbortController | null = null;
  let wasOpen = false;
  let openedMs = 0;
  let pauseMs = firstPauseMs;

  const isShown = () => document.visibilityState !== 'hidden';

  function close() {
    clearTimeout(timer);
    probe?.abort();
    probe = null;
    source?.close();
    source = null;
  }

  function stop() {
    document.removeEventListener('visibilitychange', turn);
    close();
  }

  function open() {
    close();
    const opened = new EventSource(path);
    source = opened;
    openedMs = 0;
    opened.addEventListener('open', () => {
      openedMs = Date.now();
      onOpen?.(wasOpen);
      wasOpen = true;
    });
    opened.addEventListener('next', (event: MessageEvent<string>) => onNext(event.data));
    opened.addEventListener('complete', () => later(open));
    opened.addEventListener('error', () => {
      // The browser gave up on an answer that is no stream, without telling which one it was.
      later(opened.readyState === EventSource.CLOSED ? () => void ask() : open);
    });
  }

  /** Half of the pause is left to chance, so that not everybody comes back at the same moment. */
  function later(next: () => void) {
    close();
    if (openedMs > 0 && Date.now() - openedMs >= goodAfterMs) pauseMs = firstPauseMs;
    timer = setTimeout(next, pauseMs * (0.5 + Math.random() / 2));
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }

  /** Asks for what an `EventSource` does not tell: whether there is nothing to follow, or only not now. */
  async function ask() {
    const asking = new AbortController();
    probe = asking;
    let status = 0;
    try {
      status = (await fetch(path, { signal: asking.signal, cache: 'no-store' })).status;
    } catch {
      // Not reached, or not needed any more.
    }
    if (asking.signal.aborted) return;
    asking.abort();
    if (status === 200) open();
    else if (status !== 204) later(() => void ask());
    else {
      stop();
      if (wasOpen) onEnd?.();
    }
  }

  function turn() {
    if (isShown()) open();
    else close();
  }

  document.addEventListener('visibilitychange', turn);
  if (isShown()) open();
  return stop;
}
