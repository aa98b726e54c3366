// Questions to the server, by addresses below the token that this page came with.

const failed = new EventTarget();
export const onTrouble = (listener) => failed.addEventListener("trouble", (event) => listener(event.detail));

const GONE = "This page is of an earlier start of datadiet: nothing that is done here is saved any more. Open the address " +
  "that `datadiet explore` printed when it was started again.";
// Whether whoever answers here knows this page: another start has another key.
const isKnown = async () => { try { return (await fetch(new URL("icon.svg", document.baseURI))).ok; } catch { return true; } };
const tell = (why) => failed.dispatchEvent(new CustomEvent("trouble", { detail: why }));

async function ask(path, parameters, options) {
  const address = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value !== null && value !== undefined && value !== "") address.searchParams.set(name, value);
  }
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    const why = "datadiet does not answer. Is `datadiet explore` still running? Marks up to now are saved; " +
      "start it again and open the address that it prints.";
    tell(why);
    throw new Error(why);
  }
  if (answer.status === 404 && !await isKnown()) {
    tell(GONE);
    throw new Error(GONE);
  }
  tell(null);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

export const get = async (path, parameters) => (await ask(path, parameters)).json();
export const words = async (path, parameters) => (await ask(path, parameters)).arrayBuffer();
export const post = async (path, parameters, body) => (await ask(path, parameters, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
})).json();
export const pictureOf = (row, large) => `api/picture?row=${row}${large ? "&large=true" : ""}`;
