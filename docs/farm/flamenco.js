// A batch of lines as a type of job of Flamenco 3: copy it to the folder "scripts" of the Flamenco Manager.
// Each task makes one part of the manifest. Not run yet: there was no Flamenco.
// The variables {lsfPython} and {lsfProject} of the manager name a Python that has the server's packages and the folder
// of this project, for each system.
const JOB_TYPE = {
  label: "LSF Batch",
  settings: [
    { key: "manifest", type: "string", subtype: "file_path", required: true,
      description: "The .csv or .jsonl with the lines, on the shared storage" },
    { key: "out", type: "string", subtype: "dir_path", required: true,
      description: "Folder of the results, on the shared storage" },
    { key: "parts", type: "int32", default: 8, required: true, description: "Number of tasks" },
  ],
};

function compileJob(job) {
  const { manifest, out, parts } = job.settings;
  for (let part = 1; part <= parts; part++) {
    const task = author.Task(`lines ${part} of ${parts}`, "misc");
    task.addCommand(author.Command("exec", {
      exe: "{lsfPython}",
      // The launcher finds server/ without a working folder or variables, which Flamenco's exec does not set.
      args: ["{lsfProject}/build.py", "server", "batch", manifest, "--out", out, "--shard", `${part}/${parts}`],
    }));
    job.addTask(task);
  }
}
