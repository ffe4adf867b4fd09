"""German."""

MESSAGES = {
    "(gone)": "(fehlt)",
    "0 gives the most likely take, the same every time. More gives livelier, different takes": "0 ergibt die wahrscheinlichste Fassung, immer dieselbe. Mehr ergibt lebhaftere, verschiedene Fassungen",
    "A Python that has the server's packages. Left empty: the environment that Install makes": "Ein Python mit den Paketen des Servers. Leer: die Umgebung, die „Installieren“ anlegt",
    "A folder of Python wheels to install from, on a machine without network": "Ein Ordner mit Python-Wheels, aus dem installiert wird, für Rechner ohne Netz",
    "A generation is at work: wait for it, or cancel it.": "Es wird gerade generiert: warten oder abbrechen.",
    "A mesh object that belongs to this head": "Ein Mesh-Objekt, das zu diesem Kopf gehört",
    "Accepted": "Bestätigt",
    "Add Missing Keys": "Fehlende Schlüssel hinzufügen",
    "Add New Keys": "Neue Schlüssel hinzufügen",
    "Add Row": "Zeile hinzufügen",
    "Add Selected": "Ausgewählte hinzufügen",
    "Add a neutral head that is ready to talk": "Einen neutralen Kopf hinzufügen, der gleich sprechen kann",
    "Add a row: one of the head's own shape keys, and the channel that it follows": "Zeile hinzufügen: ein Formschlüssel des Kopfes und der Kanal, dem er folgt",
    "Add sound strips to the sequencer first.": "Zuerst Sound-Strips in den Sequencer legen.",
    "Adds a smile to the whole line, or, below 0, a frown": "Fügt der ganzen Zeile ein Lächeln hinzu oder, unter 0, herabgezogene Mundwinkel",
    "All": "Alle",
    "All sound strips of the sequencer that are not muted": "Alle Sound-Strips des Sequencers, die nicht stumm sind",
    "Allow online access first (Preferences > System), or choose a folder of wheels.": "Zuerst den Online-Zugriff erlauben (Einstellungen > System) oder einen Ordner mit Wheels wählen.",
    "Angry": "Wütend",
    "Angry, whatever the voice implies": "Wütend, was auch immer die Stimme ausdrückt",
    "Animate keys of a known kind (ARKit, visemes, VRM, MMD, …). Without such keys the head gets new ones": "Schlüssel bekannter Art (ARKit, Viseme, VRM, MMD, …) animieren. Ohne solche bekommt der Kopf neue",
    "Animate the head to the speech in the strip, with shape keys and an Action of their own. What you made stays": "Den Kopf die Sprache im Strip sprechen lassen, mit eigenen Formschlüsseln und eigener Action. Was du "
    "gemacht hast, bleibt",
    "Animate the head's ARKit shape keys with a recording of Live Link Face, in an Action of its own": "Die ARKit-Formschlüssel des Kopfes mit einer Aufnahme von Live Link Face animieren, in einer eigenen "
    "Action",
    "Animate the keys as the list below says": "Die Schlüssel animieren, wie es die Liste unten sagt",
    "Another number gives another take, where the temperature is above 0, and other blinks, gaze and head motion": "Eine andere Zahl ergibt bei einer Temperatur über 0 eine andere Fassung, und anderes Blinzeln, andere "
    "Blicke und Kopfbewegung",
    "As the Voice": "Wie die Stimme",
    "Automatic": "Automatisch",
    "Batch": "Stapel",
    "Blinks": "Blinzeln",
    "Bone": "Knochen",
    (
        "Bring back what was predicted: all sliders at their defaults, no channel muted. Keys that you set by hand stay"
    ): "Zur Vorhersage zurück: alle Regler auf Vorgabe, kein Kanal stumm. Von Hand gesetzte Schlüssel bleiben",
    "Brows": "Brauen",
    "By the List": "Nach der Liste",
    "Calms the motion, over about this many frames. Lips that meet still meet": "Beruhigt die Bewegung, über etwa so viele Frames. Lippen, die sich berühren, tun es weiterhin",
    "Cancel": "Abbrechen",
    "Cancelled: no film was made": "Abgebrochen: kein Film entstand",
    "Cancelled: nothing was changed": "Abgebrochen: nichts wurde geändert",
    "Carries the expressions": "Trägt den Ausdruck",
    "Carrying the shapes over": "Formen werden übertragen",
    "Channel": "Kanal",
    "Channel Name": "Kanalname",
    "Channels": "Kanäle",
    "Cheeks": "Wangen",
    "Choose After Direction": "Nach Anweisung wählen",
    "Choose a head for the active line first.": "Zuerst einen Kopf für die aktive Zeile wählen.",
    "Choose emotion and strength after the direction in words. Say what is felt, not what is not": "Gefühl und Stärke nach der Anweisung in Worten wählen. Sagen, was gefühlt wird, nicht, was nicht",
    "Choose the head first": "Zuerst den Kopf wählen",
    "Choose the head first: a mesh object.": "Zuerst den Kopf wählen: ein Mesh-Objekt.",
    "Clear My Keys": "Meine Schlüssel löschen",
    "Click: {point}   Esc: leave": "Klick: {point}   Esc: verlassen",
    "Contempt": "Verachtung",
    "Contempt, whatever the voice implies": "Verachtung, was auch immer die Stimme ausdrückt",
    "Corners": "Ecken",
    "Direction": "Anweisung",
    "Disgusted": "Angeekelt",
    "Disgusted, whatever the voice implies": "Angeekelt, was auch immer die Stimme ausdrückt",
    "Does not move": "Bewegt sich nicht",
    "Done": "Fertig",
    "Doubtful": "Zweifelhaft",
    (
        "Drag: move a point   X: mirror   R: reset it   Shift R: reset all   F: four points, or all   Ctrl Z: undo   "
        "Enter: keep   Esc: leave"
    ): "Ziehen: Punkt verschieben   X: spiegeln   R: zurücksetzen   Umschalt R: alle zurücksetzen   F: vier "
    "Punkte oder alle   Strg Z: rückgängig   Eingabe: behalten   Esc: verlassen",
    "Draw in the sequencer, over the waveform of each generated strip, how far the mouth opens": "Im Sequencer über die Wellenform jedes generierten Strips zeichnen, wie weit der Mund sich öffnet",
    "Edit Landmarks": "Landmarken bearbeiten",
    "Edit as List": "Als Liste bearbeiten",
    "Emotion": "Gefühl",
    "Esc cancels": "Esc bricht ab",
    "Everything is as it was predicted.": "Alles ist, wie es vorhergesagt wurde.",
    "Export Face Curves": "Gesichtskurven exportieren",
    "Eyes and Head": "Augen und Kopf",
    "Face": "Gesicht",
    "Face Curves, Live Link Face (.csv)": "Gesichtskurven, Live Link Face (.csv)",
    "Fearful": "Ängstlich",
    "Fearful, whatever the voice implies": "Ängstlich, was auch immer die Stimme ausdrückt",
    (
        "Fill the list from a known family of shape keys or a mapping that you saved, for those of its keys that "
        "this head has"
    ): "Die Liste aus einer bekannten Familie von Formschlüsseln oder einer gespeicherten Zuordnung füllen, "
    "für die Schlüssel, die dieser Kopf hat",
    "Find Landmarks": "Landmarken finden",
    (
        "Find the face on the mesh, its landmarks and its parts. Generate does this by itself; here you see the "
        "result before, and can correct it"
    ): "Das Gesicht auf dem Mesh finden, seine Landmarken und Teile. Generieren tut das von selbst; hier siehst "
    "du das Ergebnis vorher und kannst es korrigieren",
    "Finding the face": "Gesicht wird gesucht",
    "Fitting the face": "Gesicht wird angepasst",
    "Forget the landmarks that you set by hand: all are found automatically again": "Die von Hand gesetzten Landmarken vergessen: alle werden wieder von selbst gefunden",
    "Found Landmarks": "Gefundene Landmarken",
    (
        "Frames by which the face moves later than the sound, or, below 0, earlier. Keys that you set by hand stay "
        "where they are"
    ): "Frames, um die sich das Gesicht später als der Ton bewegt oder, unter 0, früher. Von Hand gesetzte "
    "Schlüssel bleiben, wo sie sind",
    (
        "From few keys, easy to edit, to a key on every frame. At a half, the difference to the prediction cannot be "
        "seen"
    ): "Von wenigen Schlüsseln, leicht zu bearbeiten, bis zu einem auf jedem Frame. Bei der Hälfte ist kein "
    "Unterschied zur Vorhersage zu sehen",
    "Gain": "Verstärkung",
    "Gaze": "Blick",
    "Generate": "Generieren",
    "Generate All": "Alle generieren",
    "Generate Takes": "Fassungen generieren",
    (
        "Generate every line in the list, one after the other. All results are written together at the end, as one "
        "step to undo. A line that fails does not stop the others"
    ): "Jede Zeile der Liste generieren, eine nach der anderen. Alle Ergebnisse werden am Ende zusammen "
    "geschrieben, als ein Schritt zum Rückgängigmachen. Eine Zeile, die misslingt, hält die anderen nicht auf",
    "Generate several takes of the line, each with a seed of its own, to step through. Earlier ones stay listed": "Mehrere Fassungen der Zeile generieren, jede mit eigenem Startwert, um sie durchzugehen. Frühere bleiben "
    "in der Liste",
    "Generate this line": "Diese Zeile generieren",
    "Give the head new keys for channels that none of its own keys shows": "Dem Kopf neue Schlüssel für Kanäle geben, die keiner seiner eigenen zeigt",
    "Give the head of the active line to all lines on the same channel of the sequencer": "Den Kopf der aktiven Zeile allen Zeilen auf demselben Kanal des Sequencers geben",
    "Give the mapping a name": "Der Zuordnung einen Namen geben",
    "Go to Edit Mode and select the vertices (L selects what is connected).": "In den Edit-Modus gehen und die Vertices auswählen (L wählt Verbundenes).",
    "Go to Object Mode first.": "Zuerst in den Objektmodus gehen.",
    "Happy": "Fröhlich",
    "Happy, whatever the voice implies": "Fröhlich, was auch immer die Stimme ausdrückt",
    "Head": "Kopf",
    "Head Motion": "Kopfbewegung",
    "Head Strength": "Stärke am Kopf",
    "Heads by": "Köpfe nach",
    "How a head is found for each strip": "Wie zu jedem Strip ein Kopf gefunden wird",
    "How long the face takes to change from one keyed emotion to the next": "Wie lange das Gesicht von einem gesetzten Gefühl zum nächsten braucht",
    "How many takes of the line to generate, with seeds one after the other": "Wie viele Fassungen der Zeile generiert werden, mit aufeinander folgenden Startwerten",
    "How much the emotion that you chose takes the place of what the voice implies": "Wie sehr das gewählte Gefühl an die Stelle dessen tritt, was die Stimme ausdrückt",
    "How much the takes differ: their temperature": "Wie sehr sich die Fassungen unterscheiden: ihre Temperatur",
    "How strong the expression is; 0 is none": "Wie stark der Ausdruck ist; 0 ist keiner",
    "How strongly everything that the lips do moves. 1 is as it was predicted": "Wie stark sich alles bewegt, was die Lippen tun. 1 ist wie vorhergesagt",
    "How strongly the feeling in the voice shows. 1 is as it was predicted, 0 is speech alone": "Wie stark sich das Gefühl in der Stimme zeigt. 1 ist wie vorhergesagt, 0 ist Sprache allein",
    "How strongly the forehead with its brows moves. 1 is as it was predicted": "Wie stark sich die Stirn mit den Brauen bewegt. 1 ist wie vorhergesagt",
    "How strongly the jaw moves. 1 is as it was predicted": "Wie stark sich der Kiefer bewegt. 1 ist wie vorhergesagt",
    "How strongly what cheeks and nose do moves. 1 is as it was predicted": "Wie stark sich Wangen und Nase bewegen. 1 ist wie vorhergesagt",
    (
        "How strongly what the eyelids do with speech; blinks are a layer of their own moves. 1 is as it was predicted"
    ): "Wie stark sich die Lider beim Sprechen bewegen; Blinzeln ist eine eigene Ebene. 1 ist wie vorhergesagt",
    "How the line is to be said, in a few English words: tired but relieved": "Wie die Zeile gesprochen werden soll, in wenigen englischen Worten: tired but relieved",
    "Import & Export": "Import & Export",
    "Import Face Curves": "Gesichtskurven importieren",
    "In this mesh: {parts}": "In diesem Mesh: {parts}",
    "Index": "Nummer",
    "Install": "Installieren",
    "Install (about 2 GB)": "Installieren (etwa 2 GB)",
    "Install Again": "Neu installieren",
    "Install PyTorch and the server's other packages (about 2 GB) into a folder of the add-on's own": "PyTorch und die anderen Pakete des Servers (etwa 2 GB) in einen eigenen Ordner des Add-ons installieren",
    "Install Text Encoder (84 MB)": "Textleser installieren (84 MB)",
    "Install the server's packages first.": "Zuerst die Pakete des Servers installieren.",
    "Install what reads an emotion from a direction in words (about 84 MB). It works offline from then on": "Installieren, was aus einer Anweisung in Worten ein Gefühl liest (etwa 84 MB). Danach geht es ohne Netz",
    "Installation Log": "Installationsprotokoll",
    "It does not become clear which emotion this is: use other words": "Es wird nicht klar, welches Gefühl das ist: andere Worte benutzen",
    "Its number of the 68, from 0": "Seine Nummer unter den 68, ab 0",
    "Its scene is gone: list the lines again": "Ihre Szene ist verschwunden: die Zeilen neu auflisten",
    "Jaw": "Kiefer",
    "Keep This Take": "Diese Fassung behalten",
    "Keep the take that plays, and delete the others": "Die Fassung behalten, die spielt, und die anderen löschen",
    "Keep this channel at 0 in this line. Keys that you set by hand stay": "Diesen Kanal in dieser Zeile bei 0 halten. Von Hand gesetzte Schlüssel bleiben",
    "Key Density": "Schlüsseldichte",
    "Key on a Layer Above": "Schlüssel auf einer Ebene darüber",
    "Keys": "Schlüssel",
    "LSF Speech Animation": "LSF-Sprachanimation",
    "Landmarks are edited in a 3D viewport.": "Landmarken werden in einer 3D-Ansicht bearbeitet.",
    "Landmarks are edited with the mouse, in a 3D viewport": "Landmarken werden mit der Maus bearbeitet, in einer 3D-Ansicht",
    "Landmarks found": "Landmarken gefunden",
    "Landmarks found; {own} set by hand": "Landmarken gefunden; {own} von Hand gesetzt",
    "Lashes": "Wimpern",
    "Lashes, brow cards and beards: they follow the skin under them": "Wimpern, Brauenkarten und Bärte: sie folgen der Haut darunter",
    "Leave the NLA's tweak mode first (Tab in the NLA editor)": "Zuerst den Optimierungsmodus des NLA-Editors verlassen (Tab im NLA-Editor)",
    "Left Eye": "Linkes Auge",
    (
        "Let the eyes blink at a natural rate, mostly where phrases end: a shape key and an NLA track of their own. "
        "Another seed gives other blinks"
    ): "Die Augen in natürlicher Häufigkeit blinzeln lassen, meist an Satzenden: ein eigener Formschlüssel und "
    "eine eigene NLA-Spur. Ein anderer Startwert ergibt anderes Blinzeln",
    (
        "Let the eyes shift a little, as those of somebody who talks to somebody: an NLA track of its own. Another "
        "seed gives other shifts"
    ): "Die Augen sich ein wenig bewegen lassen, wie im Gespräch: eine eigene NLA-Spur. Ein anderer Startwert "
    "ergibt andere Blicke",
    "Lids": "Lider",
    "Lines": "Zeilen",
    "Lip Closure": "Lippenschluss",
    "Lips": "Lippen",
    "List Lines": "Zeilen auflisten",
    (
        "List the head's own shape keys with what they were recognised as, to change it. Keys that were not "
        "recognised are listed to be solved from their shapes, if none was"
    ): "Die Formschlüssel des Kopfes auflisten und als was sie erkannt wurden, um es zu ändern. Wurde keiner "
    "erkannt, so werden sie gelistet, um aus ihrer Form gelöst zu werden",
    "List the selected mesh objects (teeth, tongue, eyes, lashes) as parts of this head. They will move with it": "Die ausgewählten Mesh-Objekte (Zähne, Zunge, Augen, Wimpern) als Teile dieses Kopfes auflisten. Sie "
    "bewegen sich mit ihm",
    "List the sound strips, each with the head that speaks it. Heads that you have chosen stay": "Die Sound-Strips auflisten, jeden mit dem Kopf, der ihn spricht. Gewählte Köpfe bleiben",
    "Listening": "Hört zu",
    "Live Link Face (.csv)": "Live Link Face (.csv)",
    "Load": "Laden",
    "Loading the model": "Modell wird geladen",
    "Loading the text encoder": "Textleser wird geladen",
    "Look with Edit Landmarks whether these are right: {lines}": "Mit „Landmarken bearbeiten“ nachsehen, ob diese stimmen: {lines}",
    "Looking for the face": "Gesicht wird gesucht",
    "Lower Teeth": "Untere Zähne",
    "Lower teeth and gums: they move with the jaw": "Untere Zähne und Zahnfleisch: sie bewegen sich mit dem Kiefer",
    "Making a Python environment": "Python-Umgebung wird angelegt",
    "Mapping": "Zuordnung",
    "Mapping Name": "Name der Zuordnung",
    "Mix": "Mischung",
    "Mouth Opening over Waveform": "Mundöffnung über Wellenform",
    (
        "Move the generated Action to an NLA track, and key on an Action of your own above it: its values are added. "
        "You can generate again and use all sliders without your keys being touched"
    ): "Die generierte Action auf eine NLA-Spur verschieben und darüber auf einer eigenen Action Schlüssel "
    "setzen: ihre Werte werden addiert. Du kannst neu generieren und alle Regler benutzen, ohne dass deine "
    "Schlüssel berührt werden",
    "Moves with the jaw and comes out": "Bewegt sich mit dem Kiefer und kommt heraus",
    "Mute": "Stumm",
    "Name": "Name",
    "Neutral": "Neutral",
    "Neutral, whatever the voice implies": "Neutral, was auch immer die Stimme ausdrückt",
    "No Camera in the Scene": "Keine Kamera in der Szene",
    "No generation is at work.": "Es wird nichts generiert.",
    "No head is chosen for it: choose one in the list": "Für sie ist kein Kopf gewählt: einen in der Liste wählen",
    "No installation is at work.": "Es wird nichts installiert.",
    "No landmarks were set by hand.": "Keine Landmarken wurden von Hand gesetzt.",
    "No line is ticked in the list: tick those to generate": "Keine Zeile der Liste ist angehakt: die zu generierenden anhaken",
    "No parts are listed.": "Keine Teile sind gelistet.",
    "No sound strip is selected in the sequencer: select some, or list all": "Kein Sound-Strip ist im Sequencer ausgewählt: einige auswählen oder alle auflisten",
    "No sound strip is selected in the sequencer: select some, or list all.": "Kein Sound-Strip ist im Sequencer ausgewählt: einige auswählen oder alle auflisten.",
    "Nothing in this line is known to come from emotion": "Von nichts in dieser Zeile ist bekannt, dass es vom Gefühl kommt",
    "Nothing that was generated is active on the head: press Generate first.": "Am Kopf ist nichts Generiertes aktiv: zuerst „Generieren“ drücken.",
    "Nothing that was generated is active on these shape keys: press Generate first": "An diesen Formschlüsseln ist nichts Generiertes aktiv: zuerst „Generieren“ drücken",
    "Object": "Objekt",
    "Objects that belong to this head": "Objekte, die zu diesem Kopf gehören",
    "Of the mesh at that time": "Des Meshes zu jener Zeit",
    "Offline Wheels": "Offline-Wheels",
    "One of the head's own shape keys": "Einer der eigenen Formschlüssel des Kopfes",
    "Only Current Range": "Nur dieser Bereich",
    "Open Log": "Protokoll öffnen",
    "Open Preferences": "Einstellungen öffnen",
    "Open the log in the program that your system has for text files": "Das Protokoll in dem Programm öffnen, das dein System für Textdateien hat",
    "Own Landmarks": "Eigene Landmarken",
    "Own Shape Keys": "Eigene Formschlüssel",
    "Part": "Teil",
    "Parts": "Teile",
    "Pick the sound strip to speak, or make it the active one in the sequencer": "Den zu sprechenden Sound-Strip wählen oder zum aktiven des Sequencers machen",
    "Play another take of the line. The animation may run meanwhile; your own keys and the sliders stay": "Eine andere Fassung der Zeile spielen. Die Animation darf dabei laufen; eigene Schlüssel und die Regler "
    "bleiben",
    (
        "Play the line with its sound, from its first frame on and again. Press once more, or Esc, to stop: preview "
        "range and synchronisation are then as they were before"
    ): "Die Zeile mit ihrem Ton spielen, vom ersten Frame an und immer wieder. Nochmals drücken oder Esc "
    "beendet: Vorschaubereich und Synchronisation sind dann wie zuvor",
    "Playblast": "Playblast",
    "Playblast: Close-Up": "Playblast: Nahaufnahme",
    "Playblast: Scene Camera": "Playblast: Szenenkamera",
    "Position": "Position",
    "Presses the lips together where they come near to each other. 0 is as it was predicted": "Presst die Lippen zusammen, wo sie sich nahe kommen. 0 ist wie vorhergesagt",
    "Preview": "Vorschau",
    "Reading the direction": "Anweisung wird gelesen",
    "Reading the sound": "Ton wird gelesen",
    "Ready: {python}": "Bereit: {python}",
    "Recognise": "Erkennen",
    "Recognised from shape and place": "Aus Form und Ort erkannt",
    "Remove Layer": "Ebene entfernen",
    "Remove Part": "Teil entfernen",
    "Remove Row": "Zeile entfernen",
    "Remove the row. The shape key itself stays": "Die Zeile entfernen. Der Formschlüssel selbst bleibt",
    (
        "Render the line to an .mp4 beside the .blend, fast and with sound. Nothing in the scene is changed, and no "
        "file is overwritten"
    ): "Die Zeile in eine .mp4 neben der .blend rendern, schnell und mit Ton. Nichts in der Szene wird geändert "
    "und keine Datei überschrieben",
    "Rendering the film": "Film wird gerendert",
    (
        "Replace the animation inside the preview range, or without one between the scene's start and end, softly at "
        "both ends. The rest of the line stays as it is, and so do blinks, gaze and head motion"
    ): "Die Animation im Vorschaubereich ersetzen, oder ohne einen zwischen Anfang und Ende der Szene, mit "
    "weichen Übergängen. Der Rest der Zeile bleibt, ebenso Blinzeln, Blick und Kopfbewegung",
    (
        "Replace the keys that you set by hand on the curves of this line by generated ones, and bring back curves "
        "of it that you deleted. Curves of your own stay"
    ): "Die von Hand gesetzten Schlüssel auf den Kurven dieser Zeile durch generierte ersetzen und gelöschte "
    "Kurven zurückbringen. Deine eigenen Kurven bleiben",
    "Reset": "Zurücksetzen",
    "Reset Landmarks": "Landmarken zurücksetzen",
    "Right Eye": "Rechtes Auge",
    "Sad": "Traurig",
    "Sad, whatever the voice implies": "Traurig, was auch immer die Stimme ausdrückt",
    "Same Head for Channel": "Gleicher Kopf für Kanal",
    "Save": "Speichern",
    "Save the file first: the film is put beside it": "Zuerst die Datei speichern: der Film kommt daneben",
    "Save the file first: the film is put beside it.": "Zuerst die Datei speichern: der Film kommt daneben.",
    "Save the list for other heads with the same keys. They will be recognised by it from now on": "Die Liste für andere Köpfe mit denselben Schlüsseln speichern. Sie werden von nun an daran erkannt",
    "Say which part of the face the selected vertices are, where it is not recognised by itself": "Sagen, welcher Teil des Gesichts die ausgewählten Vertices sind, wo er nicht von selbst erkannt wird",
    "Seed": "Startwert",
    "Select other mesh objects that belong to the head: teeth, tongue, eyes, lashes.": "Andere Mesh-Objekte auswählen, die zum Kopf gehören: Zähne, Zunge, Augen, Wimpern.",
    "Select the head: a mesh object": "Den Kopf auswählen: ein Mesh-Objekt",
    "Select the head: a mesh object.": "Den Kopf auswählen: ein Mesh-Objekt.",
    "Select the vertices of the part first": "Zuerst die Vertices des Teils auswählen",
    "Selected": "Ausgewählte",
    "Selected together with the head, so they go with it: {names}": "Mit dem Kopf ausgewählt, also gehören sie dazu: {names}",
    "Server Log": "Serverprotokoll",
    "Set Part": "Teil festlegen",
    "Set Selected Vertices": "Ausgewählte Vertices festlegen",
    "Set by hand, and kept:": "Von Hand gesetzt und behalten:",
    "Shape Key": "Formschlüssel",
    "Share of each of these vertices": "Anteil jedes dieser Vertices",
    (
        "Show the landmarks of the face on the mesh and drag them where they belong. Points that you move are "
        "binding for the animation, all others are found automatically. Mouth corners, nose tip and chin can save a "
        "hopeless case. Enter also says that the points in doubt, drawn red, are right where they are"
    ): "Die Landmarken des Gesichts auf dem Mesh zeigen und dorthin ziehen, wo sie hingehören. Verschobene Punkte "
    "sind für die Animation verbindlich, alle anderen werden von selbst gefunden. Mundwinkel, Nasenspitze und "
    "Kinn können einen hoffnungslosen Fall retten. Die Eingabetaste bestätigt auch die zweifelhaften, rot "
    "gezeichneten Punkte dort, wo sie sind",
    "Skin": "Haut",
    "Smile": "Lächeln",
    "Smoothing": "Glättung",
    "Solving for the rig": "Schlüssel werden gelöst",
    "Something is being rendered: wait for it.": "Es wird gerade gerendert: warten.",
    "Speech heard": "Sprache gehört",
    "Starting": "Beginnt",
    "Step Through Takes": "Fassungen durchgehen",
    "Still": "Still",
    "Stop": "Anhalten",
    "Stop the generation. Lines that are done already are written, unless it is only one. Esc does the same": "Das Generieren beenden. Schon fertige Zeilen werden geschrieben, außer es ist nur eine. Esc tut dasselbe",
    "Stop the installation. What was installed earlier has to be installed again": "Die Installation beenden. Was vorher installiert war, muss neu installiert werden",
    "Strength": "Stärke",
    "Strip": "Strip",
    "Strip Name": "Strip-Name",
    "Strips": "Strips",
    "Surprised": "Überrascht",
    "Surprised, whatever the voice implies": "Überrascht, was auch immer die Stimme ausdrückt",
    "Take": "Fassung",
    "Take the object off the list. It keeps its shape keys, and these go on following the head's": "Das Objekt von der Liste nehmen. Es behält seine Formschlüssel, und diese folgen weiter denen des Kopfes",
    "Take this layer off all lines of the head. What you animated yourself stays": "Diese Ebene von allen Zeilen des Kopfes nehmen. Was du selbst animiert hast, bleibt",
    "Takes": "Fassungen",
    "Talking Head": "Sprechender Kopf",
    "Temperature": "Temperatur",
    "The NLA of this head's shape keys is turned off, or in tweak mode: turn it on, and leave tweak mode": "Die NLA der Formschlüssel dieses Kopfes ist ausgeschaltet oder im Optimierungsmodus: einschalten und den "
    "Optimierungsmodus verlassen",
    "The NLA of this head's shape keys is turned off: turn it on, the animation plays through it": "Die NLA der Formschlüssel dieses Kopfes ist ausgeschaltet: einschalten, denn die Animation läuft durch "
    "sie",
    "The Voice Implies": "Die Stimme drückt aus",
    "The artist has looked at it and left it as it is": "Angesehen und so gelassen, wie es ist",
    "The artist should check it": "Der Künstler sollte es prüfen",
    "The bone of the armature that nods: the head's": "Der Knochen der Armatur, der nickt: der des Kopfes",
    "The channel that the key follows. Left empty: the weight of the key is found from its shape, as for visemes": "Der Kanal, dem der Schlüssel folgt. Leer: sein Gewicht wird aus der Form gefunden, wie bei Visemen",
    "The end frame lies before the start frame: change one of them.": "Das Endframe liegt vor dem Startframe: eines davon ändern.",
    "The eyeball on the character's left: it turns about its centre": "Der Augapfel links an der Figur: er dreht sich um seine Mitte",
    "The eyeball on the character's right: it turns about its centre": "Der Augapfel rechts an der Figur: er dreht sich um seine Mitte",
    "The face does not move in this line: pick a strip with clear speech": "Das Gesicht bewegt sich in dieser Zeile nicht: einen Strip mit deutlicher Sprache wählen",
    "The head gets new keys, and its own of the same names are animated": "Der Kopf bekommt neue Schlüssel, und seine eigenen gleichen Namens werden animiert",
    "The head has no keys of its own": "Der Kopf hat keine eigenen Schlüssel",
    "The head has no shape keys of its own.": "Der Kopf hat keine eigenen Formschlüssel.",
    "The head or its scene is gone or was renamed: press Generate Takes again": "Der Kopf oder seine Szene ist verschwunden oder wurde umbenannt: „Fassungen generieren“ nochmals drücken",
    "The installation is at work.": "Die Installation läuft.",
    "The list is empty.": "Die Liste ist leer.",
    "The mesh that speaks this line": "Das Mesh, das diese Zeile spricht",
    "The mesh to animate. Left empty: the active object": "Das zu animierende Mesh. Leer: das aktive Objekt",
    "The name of the strip's channel holds that of the head": "Der Name des Kanals, auf dem der Strip liegt, enthält den des Kopfes",
    "The points that were set by hand": "Die von Hand gesetzten Punkte",
    "The scene is gone or was renamed: try again": "Die Szene ist verschwunden oder wurde umbenannt: nochmals versuchen",
    "The scene or its frame rate was changed while the animation was made: press Generate again": "Die Szene oder ihre Bildrate wurde geändert, während die Animation entstand: „Generieren“ nochmals "
    "drücken",
    "The selected sound strips": "Die ausgewählten Sound-Strips",
    "The server is at work: wait for it, or cancel it.": "Der Server arbeitet: warten oder abbrechen.",
    "The server's packages are not installed yet.": "Die Pakete des Servers sind noch nicht installiert.",
    "The sound strip to speak": "Der zu sprechende Sound-Strip",
    "The sound strip to speak. Left empty: the active one of the sequencer": "Der zu sprechende Sound-Strip. Leer: der aktive des Sequencers",
    "The strip's name holds that of the head: Anna_03 is spoken by Anna": "Der Name des Strips enthält den des Kopfes: Anna_03 wird von Anna gesprochen",
    "There is no Python here, choose another one: {python}": "Hier ist kein Python, bitte ein anderes wählen: {python}",
    "There is no log yet.": "Es gibt noch kein Protokoll.",
    "There is no window to play it in.": "Es gibt kein Fenster, in dem es spielen könnte.",
    "They are listed already": "Sie sind schon gelistet",
    "This file has no name yet: save it first": "Diese Datei hat noch keinen Namen: zuerst speichern",
    "This head has no such layer.": "Dieser Kopf hat keine solche Ebene.",
    "This line has no takes: press Generate Takes.": "Diese Zeile hat keine Fassungen: „Fassungen generieren“ drücken.",
    "Time Offset": "Zeitversatz",
    "Timing the frames": "Frames werden gelegt",
    "Tongue": "Zunge",
    "Transition": "Übergang",
    "Trying the packages": "Pakete werden geprüft",
    "Tweak": "Anpassen",
    "Upper Teeth": "Obere Zähne",
    "Upper teeth and gums: they stay with the skull": "Obere Zähne und Zahnfleisch: sie bleiben am Schädel",
    "Use This Python Instead": "Stattdessen dieses Python",
    "Value of the key at the channel's value 1. Not used where the weight is found from the shape": "Wert des Schlüssels beim Kanalwert 1. Ohne Bedeutung, wo das Gewicht aus der Form gefunden wird",
    "Variation": "Variation",
    "Vertices": "Vertices",
    "Vertices of the triangle that it lies on": "Vertices des Dreiecks, auf dem er liegt",
    "Waiting for Object Mode": "Wartet auf den Objektmodus",
    "Waiting until you leave the NLA's tweak mode": "Wartet, bis du den Tweak-Modus der NLA verlässt",
    "Waiting until you let go, or the render ends": "Wartet, bis du loslässt oder das Rendern zu Ende ist",
    "Watch": "Ansehen",
    "Weights": "Gewichte",
    "What happens with the shape keys that the head has already": "Was mit den Formschlüsseln geschieht, die der Kopf schon hat",
    (
        "What nods with the voice: the armature, or an object. A constraint adds the motion to your own pose. Left "
        "empty: nothing nods"
    ): "Was mit der Stimme nickt: die Armatur oder ein Objekt. Ein Constraint fügt die Bewegung deiner eigenen "
    "Pose hinzu. Leer: nichts nickt",
    "What the face expresses. Key it to change it along the timeline": "Was das Gesicht ausdrückt. Schlüssel darauf ändern es entlang der Zeitleiste",
    "What the mapping was recognised or saved as": "Als was die Zuordnung erkannt oder gespeichert wurde",
    "What the voice implies": "Was die Stimme ausdrückt",
    "What this object is": "Was dieses Objekt ist",
    "Where it was on the base shape when it was set": "Wo er auf der Grundform war, als er gesetzt wurde",
    "Where the points of the face were found": "Wo die Punkte des Gesichts gefunden wurden",
    "Which own key follows which channel": "Welcher eigene Schlüssel welchem Kanal folgt",
    "Which sound strips are listed": "Welche Sound-Strips gelistet werden",
    "Who speaks which strip": "Wer welchen Strip spricht",
    "Write first how the line is to be said.": "Zuerst schreiben, wie die Zeile gesprochen werden soll.",
    "Write the values of the head's shape keys to a file, as they play: Actions, NLA and drivers together": "Die Werte der Formschlüssel des Kopfes in eine Datei schreiben, wie sie abgespielt werden: Actions, NLA "
    "und Treiber zusammen",
    "You have set no keys by hand on the generated curves.": "Du hast auf den generierten Kurven keine Schlüssel von Hand gesetzt.",
    "Writing": "Schreibt",
    "Your own Action is active already, above what was generated": "Deine eigene Action ist schon aktiv, über dem Generierten",
    "Your own Action is active already, above what was generated.": "Deine eigene Action ist schon aktiv, über dem Generierten.",
    "and on {count} more curves": "und auf {count} weiteren Kurven",
    "from its shape": "aus seiner Form",
    "{count} takes": "{count} Fassungen",
    "{count} takes of {strip}, {seconds} s": "{count} Fassungen von {strip}, {seconds} s",
    "{name}: {count} vertices set by hand": "{name}: {count} Vertices von Hand festgelegt",
    "{own} landmarks set by hand": "{own} Landmarken von Hand gesetzt",
    "{take} of {count}, seed {seed}": "{take} von {count}, Startwert {seed}",
}
