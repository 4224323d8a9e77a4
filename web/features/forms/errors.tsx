import { Notice } from '@/ui/notice';

/** What concerns a whole form, above its fields; read out when it appears. */
export function FormErrors({ messages }: { messages: string[] }) {
  return (
    <div aria-live="polite" className="grid gap-3 empty:hidden">
      {messages.map((message) => (
        <Notice key={message} tone="danger">
          {message}
        </Notice>
      ))}
    </div>
  );
}
