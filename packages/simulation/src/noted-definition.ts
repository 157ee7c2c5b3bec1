import type { OwnModel } from '@tutti/model';

/** The same model; `note` hears what its functions throw, which a device would keep to itself. */
export function notedDefinition(definition: OwnModel, note: (error: unknown) => void): OwnModel {
  const noted = <Given>(call: () => Given): Given => {
    try {
      return call();
    } catch (error) {
      note(error);
      throw error;
    }
  };
  return {
    ...definition,
    score: (tf, input) => noted(() => definition.score(tf, input)),
    loss: (tf, input) => noted(() => definition.loss(tf, input)),
  };
}
