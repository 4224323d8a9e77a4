// What went wrong, in four layers, and what the page may say about it.
//
// 1 the gateway was not reached; 2 it refused the request; 3 a part of the answer failed (`errors` with a path);
// 4 the business said no (`userErrors`). The first two leave no data, the third leaves the rest of the page.

/** One entry of `errors` in a GraphQL answer. */
export type PartError = { message: string; path: (string | number)[]; code: string | null };

export type Failure = {
  kind: 'unreachable' | 'unauthenticated' | 'refused';
  /** For the log, never for the page. */
  detail: string;
  errors: PartError[];
};

export type Answer<Data> =
  { ok: true; data: Data; errors: PartError[] } | { ok: false; failure: Failure };

export type UserError = { code: string; message: string; field?: string[] | null };

/** Reads `errors` of an answer as it came from the network, whatever shape it has. */
export function readPartErrors(value: unknown): PartError[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: unknown) => {
    const { message, path, extensions } = (entry ?? {}) as {
      message?: unknown;
      path?: unknown;
      extensions?: { code?: unknown } | null;
    };
    return {
      message: typeof message === 'string' ? message : 'unknown error',
      path: Array.isArray(path)
        ? path.filter((step) => typeof step === 'string' || typeof step === 'number')
        : [],
      code: typeof extensions?.code === 'string' ? extensions.code : null,
    };
  });
}

/**
 * Whether the part of the answer at `path` is missing because of an error, so that a null there means
 * "not available now" and not "there is none". A list index in the answer matches any `*`.
 */
export function isBroken(errors: PartError[], path: string): boolean {
  const wanted = path.split('.');
  return errors.some(
    (error) =>
      error.path.length >= 1 &&
      wanted.every((step, at) => {
        const actual = error.path[at];
        return actual === undefined || step === '*' || String(actual) === step;
      }),
  );
}

/** Whether the token of the request was refused, by the gateway or by a service behind it. */
export function isTokenRefused(answer: Answer<unknown>): boolean {
  if (!answer.ok) return answer.failure.kind === 'unauthenticated';
  return answer.errors.some((error) => error.code === 'UNAUTHENTICATED');
}

export type FieldErrors = { form: string[]; fields: Record<string, string> };

/** Business errors sorted by form field; what names no known field concerns the whole form. */
export function byField(userErrors: UserError[], known: readonly string[]): FieldErrors {
  const result: FieldErrors = { form: [], fields: {} };
  for (const error of userErrors) {
    // A service names the path in its input (`["input", "email"]`); the form knows the last step.
    const name = error.field?.at(-1);
    if (name && known.includes(name)) result.fields[name] ??= error.message;
    else result.form.push(error.message);
  }
  return result;
}

/** What the visitor is told when there is no answer to show. */
export function failureText(failure: Failure): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'The kitchen is not answering right now. Please try again in a moment.';
    case 'unauthenticated':
      return 'Your session has ended. Please sign in again.';
    case 'refused':
      return 'That did not work. Please try again.';
  }
}
