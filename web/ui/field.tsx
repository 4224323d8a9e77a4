import type {
  InputHTMLAttributes,
  ReactNode,
  SelectHTMLAttributes,
  TextareaHTMLAttributes,
} from 'react';

type Labels = {
  name: string;
  label: string;
  error?: string;
  hint?: string;
  /** When a page has several fields of the same name. */
  id?: string;
};

type FieldProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'id' | 'name'> & Labels;
type TextAreaProps = Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'id' | 'name'> & Labels;
type SelectProps = Omit<SelectHTMLAttributes<HTMLSelectElement>, 'id' | 'name'> & Labels;

/** A labelled input whose hint and error are read out with it. */
export function Field({ name, label, error, hint, id = name, ...input }: FieldProps) {
  return (
    <Labelled id={id} label={label} error={error} hint={hint}>
      <input {...input} {...described(id, error, hint)} name={name} className="field" />
    </Labelled>
  );
}

/** The same for several lines of text. */
export function TextArea({ name, label, error, hint, id = name, ...area }: TextAreaProps) {
  return (
    <Labelled id={id} label={label} error={error} hint={hint}>
      <textarea rows={4} {...area} {...described(id, error, hint)} name={name} className="field" />
    </Labelled>
  );
}

/** The same for one of several choices, its children. */
export function Select({ name, label, error, hint, id = name, ...select }: SelectProps) {
  return (
    <Labelled id={id} label={label} error={error} hint={hint}>
      <select {...select} {...described(id, error, hint)} name={name} className="field" />
    </Labelled>
  );
}

/** What ties a control to its hint and its error. */
function described(id: string, error?: string, hint?: string) {
  const by = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean);
  return {
    id,
    'aria-invalid': error ? (true as const) : undefined,
    'aria-describedby': by.join(' ') || undefined,
  };
}

type LabelledProps = Omit<Labels, 'name'> & { id: string; children: ReactNode };

function Labelled({ id, label, error, hint, children }: LabelledProps) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-semibold">
        {label}
      </label>
      {children}
      {hint ? (
        <p id={`${id}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      ) : null}
      {error ? (
        <p id={`${id}-error`} className="text-sm font-medium text-danger">
          {error}
        </p>
      ) : null}
    </div>
  );
}
