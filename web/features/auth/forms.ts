// What the log-in and register forms check before the service is asked. The service checks again and decides.

export const loginFields = ['email', 'password'] as const;
export const registrationFields = [
  'email',
  'username',
  'password',
  'fullName',
  'repeated',
] as const;

export const newPasswordFields = ['newPassword', 'repeated'] as const;

/** Shortest password the service takes. */
export const passwordLengthMin = 10;

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
  const { newPassword, repeated } = checkNewPassword({
    newPassword: input.password,
    repeated: input.repeated,
  });
  if (newPassword) errors.password = newPassword;
  if (repeated) errors.repeated = repeated;
  return errors;
}

/** A new password and its repetition, so that a slip of the finger locks nobody out. */
export function checkNewPassword(input: { newPassword: string; repeated: string }): Errors {
  const errors: Errors = {};
  if (input.newPassword.length < passwordLengthMin) {
    errors.newPassword = `Choose a password of at least ${passwordLengthMin} characters.`;
  }
  if (input.repeated !== input.newPassword) errors.repeated = 'The two passwords are not the same.';
  return errors;
}
