import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow, longestPauseMs } from './live';

const made: Source[] = [];

/** Stands in for the browser's stream: a test says what arrives. */
class Source extends EventTarget {
  static readonly CLOSED = 2;
  readyState = 0;
  constructor(readonly url: string) {
    super();
    made.push(this);
  }
  close() {
    this.readyState = Source.CLOSED;
  }
  says(type: string, data?: string) {
    this.dispatchEvent(data === undefined ? new Event(type) : new MessageEvent(type, { data }));
  }
  /** The answer was no stream: the browser does not connect again. */
  refused() {
    this.readyState = Source.CLOSED;
    this.says('error');
  }
}

class Page extends EventTarget {
  visibilityState = 'visible';
  turn(state: 'visible' | 'hidden') {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

const open = () => made.filter((source) => source.readyState !== Source.CLOSED);
const last = () => made.at(-1) ?? new Source('none was opened');
const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const listeners = () => ({
  onNext: vi.fn<(data: string) => void>(),
  onOpen: vi.fn<(again: boolean) => void>(),
  onEnd: vi.fn<() => void>(),
});

describe('a live stream', () => {
  let page: Page;
  let handlers: ReturnType<typeof listeners>;
  let answers: ReturnType<typeof vi.fn<() => Promise<Response>>>;
  beforeEach(() => {
    vi.useFakeTimers();
    made.length = 0;
    page = new Page();
    vi.stubGlobal('document', page);
    vi.stubGlobal('EventSource', Source);
    answers = vi.fn();
    vi.stubGlobal('fetch', answers);
    handlers = listeners();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('that is complete is opened again, and says that news were missed', async () => {
    follow('/events', handlers);
    last().says('open');
    last().says('next', 'news');
    expect(handlers.onNext).toHaveBeenCalledWith('news');
    last().says('complete');
    expect(open()).toHaveLength(0);
    await wait(1000);
    expect(open()).toHaveLength(1);
    last().says('open');
    expect(handlers.onOpen.mock.calls).toEqual([[false], [true]]);
  });

  it('that breaks is opened again after pauses that grow up to a bound', async () => {
    follow('/events', handlers);
    for (let round = 0; round < 10; round += 1) {
      last().says('open');
      last().says('error');
      await wait(longestPauseMs);
    }
    expect(made).toHaveLength(11);
    last().says('error');
    await wait(longestPauseMs / 2 - 1);
    expect(open()).toHaveLength(0);
  });

  it('that lasted begins with the short pause again', async () => {
    follow('/events', handlers);
    for (let round = 0; round < 10; round += 1) {
      last().says('error');
      await wait(longestPauseMs);
    }
    last().says('open');
    await wait(900_000);
    last().says('complete');
    await wait(1000);
    expect(open()).toHaveLength(1);
  });

  it('is given up when the answer is 204, and only then', async () => {
    follow('/events', handlers);
    last().says('open');
    last().says('complete');
    await wait(1000);
    answers.mockResolvedValueOnce(new Response('', { status: 502 }));
    answers.mockRejectedValueOnce(new TypeError('no network'));
    answers.mockResolvedValueOnce(new Response('', { status: 200 }));
    last().refused();
    await wait(3 * longestPauseMs);
    expect(open()).toHaveLength(1);
    expect(handlers.onEnd).not.toHaveBeenCalled();

    answers.mockResolvedValueOnce(new Response(null, { status: 204 }));
    last().refused();
    await wait(10 * longestPauseMs);
    page.turn('visible');
    expect(open()).toHaveLength(0);
    expect(answers).toHaveBeenCalledTimes(4);
    expect(handlers.onEnd).toHaveBeenCalledOnce();
  });

  it('is closed while the page is hidden, and opened when it is looked at again', async () => {
    follow('/events', handlers);
    last().says('open');
    page.turn('hidden');
    await wait(longestPauseMs);
    expect(open()).toHaveLength(0);
    page.turn('visible');
    last().says('open');
    expect(open()).toHaveLength(1);
    expect(handlers.onOpen).toHaveBeenLastCalledWith(true);
  });

  it('of a page that opens hidden waits until somebody looks', () => {
    page.visibilityState = 'hidden';
    follow('/events', handlers);
    expect(made).toHaveLength(0);
    page.turn('visible');
    expect(open()).toHaveLength(1);
  });

  it('ends with the page', async () => {
    const stop = follow('/events', handlers);
    last().says('complete');
    stop();
    await wait(longestPauseMs);
    page.turn('visible');
    expect(open()).toHaveLength(0);
  });
});
