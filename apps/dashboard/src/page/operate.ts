import type { TaskStatus } from '@tutti/coordination';

/** What an operator can have done with a task. */
export type Step = 'pause' | 'resume' | 'stop';

/** Whose token the page holds, and what it lets do. */
export interface Operator {
  readonly name: string;
  readonly role: 'read' | 'operate';
}

/** Where the token is kept: until the tab is closed, and nowhere else. */
const KEY = 'tutti-token';

export const forgetToken = (): void => sessionStorage.removeItem(KEY);

/** Who a token is of. It is kept if it is known, and forgotten otherwise. @throws {Error} with words for people. */
export async function useToken(token: string): Promise<Operator> {
  sessionStorage.setItem(KEY, token.trim());
  try {
    return (await ask('GET', '/token')) as Operator;
  } catch (error) {
    forgetToken();
    throw error;
  }
}

/** Who the token is of that this tab holds; undefined where it holds none. */
export async function heldToken(): Promise<Operator | undefined> {
  const token = sessionStorage.getItem(KEY);
  return token === null ? undefined : useToken(token);
}

/** Has something done with a task. @throws {Error} with words for people. */
export async function change(task: string, step: Step): Promise<TaskStatus> {
  return (await ask('POST', `/tasks/${encodeURIComponent(task)}/${step}`)) as TaskStatus;
}

async function ask(method: 'GET' | 'POST', path: string): Promise<unknown> {
  const token = sessionStorage.getItem(KEY) ?? '';
  const response = await fetch(`/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  const body = (await response.json()) as { error?: { message?: string } };
  if (response.ok) return body;
  if (response.status === 401) throw new Error('the coordinator does not know this token');
  throw new Error(body.error?.message ?? `the coordinator answered ${response.status}`);
}
