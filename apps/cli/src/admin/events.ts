/** An event of a stream. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  readonly id?: string;
}

/** Longest event that is taken: a line of a log is far shorter. */
const LONGEST_EVENT = 2 ** 20;

/** The events of a text/event-stream, as they come. @throws {Error} for one that does not end. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncIterable<StreamEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of body) {
    text += decoder.decode(part, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    if (text.length > LONGEST_EVENT) throw new Error('an event without end');
    for (const event of events) {
      const fields = new Map(
        event.split('\n').map((line) => {
          const [name = '', ...rest] = line.split(': ');
          return [name, rest.join(': ')] as const;
        }),
      );
      const [type, data, id] = [fields.get('event'), fields.get('data'), fields.get('id')];
      if (type !== undefined && data !== undefined) yield { type, data, ...(id === undefined ? {} : { id }) };
    }
  }
}
