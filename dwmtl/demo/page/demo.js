// The demo page: shows what the server answers. It asks this server alone, and decides nothing itself.
"use strict";

const MAX_FRAME_PX = 640; // of a frame's longer side, on its way to the server
const byId = (id) => document.getElementById(id);
const chosen = [null, null]; // the photos, as files
const camera = byId("camera"); // wanders over the page: it may stand nowhere

function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function drawn(tag, values) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  return element;
}

async function ask(path, body) {
  const isFile = body instanceof Blob;
  const type = isFile ? "application/octet-stream" : "application/json";
  const options = body && { method: "POST", headers: { "Content-Type": type }, body: isFile ? body : JSON.stringify(body) };
  const response = await fetch(path, options).catch(() => { throw new Error("the server does not answer"); });
  const answer = await response.json().catch(() => ({ error: `the server answers ${response.status}` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] || "");
    reader.onerror = () => reject(new Error(`${file.name || "the photo"} cannot be read`));
    reader.readAsDataURL(file);
  });
}

function tell(id, sentence, isYes = null) {
  const element = byId(id);
  element.textContent = sentence;
  element.className = isYes === null ? "verdict" : `verdict ${isYes ? "yes" : "no"}`;
}

// ---- photos

async function showPhotos() {
  const files = chosen.filter(Boolean);
  tell("photos-verdict", files.length ? "Looking …" : "");
  try {
    if (!files.length) return;
    const asked = [...files];
    const answer = await ask("/api/photos", { photos: await Promise.all(asked.map(base64)) });
    if (asked.some((file) => !chosen.includes(file)) || asked.length < chosen.filter(Boolean).length) return; // outdated
    answer.analyses.forEach((analysis, number) => showAnalysis(chosen.indexOf(asked[number]), analysis));
    tell("photos-verdict", answer.sentence || "", answer.verification && answer.verification.is_same);
  } catch (error) {
    tell("photos-verdict", `Error: ${error.message}`, false);
  }
}

function choose(number, file) {
  if (!file) return;
  chosen[number] = file;
  const [picture, faces] = partsOf(number);
  faces.replaceChildren();
  const image = made("img");
  image.alt = `photo ${number + 1}`;
  image.src = URL.createObjectURL(file);
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => image.replaceWith(made("p", `${file.name} (this browser does not show it)`, "hint"));
  picture.replaceChildren(image);
  figureOf(number).querySelector("[data-clear]").hidden = false;
  return showPhotos();
}

function clear(number) {
  chosen[number] = null;
  const figure = figureOf(number);
  figure.querySelector("input").value = "";
  figure.querySelector("[data-clear]").hidden = true;
  figure.querySelector(".picture").replaceChildren(made("p", "Drop a photo here", "hint"));
  figure.querySelector(".faces").replaceChildren();
  showPhotos();
}

const figureOf = (number) => document.querySelector(`[data-photo="${number}"]`);
const partsOf = (number) => [".picture", ".faces"].map((name) => figureOf(number).querySelector(name));

function showAnalysis(number, analysis) {
  const [picture, faces] = partsOf(number);
  picture.querySelector("svg")?.remove();
  if (picture.querySelector("img")) picture.append(boxes(analysis));
  faces.replaceChildren(...analysis.faces.map((face) => bars(face, analysis.faces.length)));
  if (!analysis.faces.length) faces.append(made("p", "No face found. Take a photo that shows one, larger or from the front.", "hint"));
}

function boxes(analysis) {
  const picture = drawn("svg", { viewBox: `0 0 ${analysis.width_px} ${analysis.height_px}`, "aria-hidden": "true" });
  for (const face of analysis.faces) {
    const [x1, y1, x2, y2] = face.box;
    picture.append(drawn("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: face.is_chosen ? "chosen" : "" }));
    for (const [x, y] of face.landmarks) picture.append(drawn("circle", { cx: x, cy: y, r: (x2 - x1) / 50 }));
  }
  return picture;
}

function bars(face, numFaces) {
  const block = made("div", "", "face");
  const which = numFaces > 1 && face.is_chosen ? ", the one that is compared" : "";
  block.append(made("h3", `Face, confidence ${face.confidence.toFixed(3)}${which}`));
  for (const [task, classes] of Object.entries(face.probabilities)) {
    if (task !== "expression") block.append(made("h3", task));
    for (const [name, value] of Object.entries(classes).sort((a, b) => b[1] - a[1])) {
      const row = made("div", "", "bar");
      const bar = made("progress");
      Object.assign(bar, { max: 1, value });
      bar.setAttribute("aria-label", name);
      row.append(made("span", name), bar, made("span", `${(100 * value).toFixed(1)} %`));
      block.append(row);
    }
  }
  for (const [task, values] of Object.entries(face.values)) {
    const texts = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    block.append(made("h3", task), made("p", texts.join(", ")));
  }
  return block;
}

// ---- the camera

async function openCamera() {
  if (!navigator.mediaDevices) throw new Error("this browser gives no camera to this page");
  try {
    camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
  } catch (error) {
    throw new Error(`there is no camera, or the browser does not give it (${error.message})`);
  }
  camera.hidden = false;
  await camera.play();
}

function closeCamera() {
  camera.srcObject?.getTracks().forEach((track) => track.stop());
  camera.srcObject = null;
  camera.hidden = true;
}

function takenFrame() {
  const scale = Math.min(1, MAX_FRAME_PX / Math.max(camera.videoWidth, camera.videoHeight));
  const canvas = made("canvas");
  canvas.width = Math.round(scale * camera.videoWidth);
  canvas.height = Math.round(scale * camera.videoHeight);
  canvas.getContext("2d").drawImage(camera, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}

async function takePhoto(number) {
  try {
    await openCamera(); // before the old picture goes: there may be no camera
    partsOf(number)[0].replaceChildren(camera);
    await new Promise((resolve) => setTimeout(resolve, 1500)); // the camera finds its exposure, the person a pose
    await choose(number, new File([await takenFrame()], "camera.jpg", { type: "image/jpeg" }));
  } catch (error) {
    tell("photos-verdict", `Error: ${error.message}`, false);
  } finally {
    closeCamera();
  }
}

// ---- challenge and response

async function start(by) {
  tell("challenge-verdict", "Looking at the reference …");
  byId("seen").textContent = "";
  byId("clip-label").hidden = true;
  if (!chosen[0]) throw new Error("choose the first photo above: it is the reference");
  return ask("/api/challenges", { reference: await base64(chosen[0]), by });
}

function showProgress(progress, limit) {
  const isOver = ["accepted", "over"].includes(progress.state);
  tell("challenge-verdict", progress.sentence, isOver ? progress.state === "accepted" : null);
  byId("time").hidden = isOver;
  byId("time").value = progress.seconds_left / limit;
  if (progress.seen === undefined) return isOver;
  const { seen } = progress;
  if (!seen) byId("seen").textContent = "";
  else if (seen.is_same === null) byId("seen").textContent = "No face in the frame.";
  else byId("seen").textContent = `Seen: ${seen.is_same ? "the reference's person" : "somebody else"}, ${seen.expression}.`;
  return isOver;
}

async function byCamera() {
  try {
    byId("challenge-verdict").after(camera);
    await openCamera();
    const started = await start("camera");
    for (let isOver = showProgress(started, started.seconds_left); !isOver;) {
      const frame = await base64(await takenFrame());
      isOver = showProgress(await ask(`/api/challenges/${started.name}/frames`, { frame }), started.seconds_left);
    }
  } catch (error) {
    tell("challenge-verdict", `Error: ${error.message}`, false);
    byId("time").hidden = true;
  } finally {
    closeCamera();
  }
}

let clipChallenge = null;

async function byClip() {
  try {
    clipChallenge = await start("clip");
    const minutes = Math.round(clipChallenge.seconds_left / 60);
    tell("challenge-verdict", `Film a neutral face and then ${clipChallenge.expression_required}, and choose the clip within ${minutes} minutes.`);
    byId("clip-label").hidden = false;
  } catch (error) {
    tell("challenge-verdict", `Error: ${error.message}`, false);
  }
}

async function sendClip(file) {
  if (!file || !clipChallenge) return;
  byId("clip-label").hidden = true;
  tell("challenge-verdict", "Looking at the clip …");
  try {
    const answer = await ask(`/api/challenges/${clipChallenge.name}/clip`, file);
    tell("challenge-verdict", answer.sentence, answer.state === "accepted");
    if (answer.num_frames !== undefined) byId("seen").textContent = `${answer.num_frames} frames looked at, ${answer.num_frames_with_face} with a face.`;
  } catch (error) {
    tell("challenge-verdict", `Error: ${error.message}`, false);
  } finally {
    clipChallenge = null;
    byId("clip").value = "";
  }
}

// ---- what the buttons do

for (const number of [0, 1]) {
  const figure = figureOf(number);
  figure.querySelector("input").onchange = (event) => choose(number, event.target.files[0]);
  figure.querySelector("[data-take]").onclick = () => takePhoto(number);
  figure.querySelector("[data-clear]").onclick = () => {
    clear(number);
    figure.querySelector("input").focus(); // the button is gone, and the keyboard's place with it
  };
  figure.ondragover = (event) => { event.preventDefault(); figure.classList.add("over"); };
  figure.ondragleave = () => figure.classList.remove("over");
  figure.ondrop = (event) => {
    event.preventDefault();
    figure.classList.remove("over");
    choose(number, event.dataTransfer.files[0]);
  };
}
byId("by-camera").onclick = byCamera;
byId("by-clip").onclick = byClip;
byId("clip").onchange = (event) => sendClip(event.target.files[0]);
ask("/api/model").then((model) => {
  const limit = model.threshold === null
    ? "no threshold is known, so photos cannot be compared (docs/use_the_model.md)"
    : `threshold ${model.threshold.toFixed(3)} (${model.threshold_source})`;
  byId("about").textContent = `Model ${model.source}; ${model.expressions.join(", ") || "it predicts no expression"}; ${limit}.`;
}).catch((error) => { byId("about").textContent = `Error: ${error.message}`; });
