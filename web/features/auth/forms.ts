// What the log-in and register forms check before the service is asked. The service checks again and decides.

export const loginFields = ['email', 'password'] as const;
export const registrationFields = [
  'email',
  'username',
  'password',
  'fullName',
  'repeated',
] as const;

/** Shortest password the service takes (OWASP asks for 8 at least). */
export const passwordLengthMin = 8;

type Errors = Record<string, string>;

export function checkLogin({ email, password }: { email: string; password: string }): Errors {
  const errors: Errors = {};
  if (!email) errors.email = 'Enter your e-mail address.';
  if (!password) errors.password = 'Enter your password.';
  return errors;
}

export function checkRegistration(input: {
  email: string;
  username: string;
  password: string;
  repeated: string;
}): Errors {
  const errors: Errors = {};
  if (!/^[^\s@]+@[^\s@]+$/.test(input.email)) {
    errors.email = 'Enter an e-mail address such as name@example.com.';
  }
  if (input.username.length < 3) errors.username = 'Choose a name of at least 3 characters.';
  if (input.password.length < passwordLengthMin) {
    errors.password = `Choose a password of at least ${passwordLengthMin} characters.`;
  }
  if (input.repeated !== input.password) errors.repeated = 'The two passwords are not the same.';
  return errors;
}
