"""The sentences of the engine that the pages translate: those that people see most.

Where a sentence has a value, here is a name in braces. Values that begin with `part` are one of PARTS (or a sentence)
themselves, those that begin with `number` are whole numbers; others are shown as they are. A test compares the table
with what the engine says about small files and pictures.
"""

from __future__ import annotations

from imgproc.web.texts import N_

SENTENCES = (
    # Files that are no table
    N_("The file is {part_kind}: {part_remedy}."),
    N_("The file is XML: {part_remedy}."),
    N_("The file is JSON: {part_remedy}."),
    N_("The file is empty: upload a CSV with a header line and product rows."),
    N_("The file is not plain text: {part_remedy}."),
    N_("The file begins with blank lines only: begin it with a header, then product rows."),
    N_("The file has a header and no rows: add a row for each product."),
    N_("The file has more than {number} rows: split it into several files."),
    N_("The file is larger than {number} bytes; split it."),
    N_("The file is damaged or not complete: save it again, and upload that."),
    N_("The archive is damaged or not complete: send it again, or {part_remedy}."),
    N_("The ZIP archive holds no table: put the CSV or the workbook of your products into it."),
    N_("The ZIP archive holds several tables, {names}: upload the one with your products."),
    N_("The ZIP archive is protected by a password: {part_remedy}."),
    N_("The workbook is damaged, or of a kind that we cannot read: {part_remedy}."),
    N_(
        "The workbook is protected by a password: remove it (in Excel: File > Info > Protect Workbook), save, and "
        "upload it again."
    ),
    N_("The workbook has no sheet {name}; its sheets are: {names}."),
    N_("The sheet {name} is empty: begin it with a header, then product rows, or name another sheet."),
    # The header
    N_(
        "The header on line {number} has {number_columns} columns, more than the {number_most} allowed: remove those "
        "you do not need; serial number, product name and image URLs are enough."
    ),
    N_("The header on line {number} is {header}: {part_remedy}."),
    N_("On line {number} {part_rivals}: rename or remove one."),
    N_(
        "On line {number} '{name}' and '{other}' could each have the pictures: rename the right one to 'Input Image "
        "Urls'."
    ),
    N_(
        "Line {number} is {header}, which names none of our columns: begin the file with a header line, such as "
        "{example}, or rename the columns so."
    ),
    N_(
        "Line {number} is {header}, which has a URL as products have: write a header line above it, and choose its "
        "columns."
    ),
    N_(
        "The header has {part_header} between its cells, the rows have {part_rows} ({character}): write the header "
        "with {again}, too."
    ),
    N_(
        "Line {number} has {part_delimiter} between its cells: open the file in a spreadsheet, choose that as the "
        "separator, and save it as “CSV UTF-8”, which has commas."
    ),
    N_(
        "Line {number} is one quoted cell that holds the others: save the file again without quotes around whole lines."
    ),
    N_("The quote opened on line {number} is never closed: close it after the text of its cell, or remove it."),
    # Rows
    N_("{number_bad} of {number} rows cannot be used; the first fault is on line {number_line}: {part_fault}"),
    N_(
        "{number_bad} of the first {number} rows cannot be used, and reading stopped there; the first fault is on line "
        "{number_line}: {part_fault}"
    ),
    N_('{part_counts}: put quotes around a cell that holds a "{character}", perhaps "{cell}".'),
    N_("{part_counts}: add what is missing, or remove the line if it is no product."),
    N_("{part_counts}: the whole line is in quotes; remove them, and save without quotes around whole lines."),
    N_(
        "The line has {part_found} between its cells, the header has {part_header}: write the line with {part_again}, "
        "too."
    ),
    N_(
        "Text follows the quote that closes a cell on line {number}: put quotes around all of the cell, and write a "
        "quote inside it twice, as in {example}."
    ),
    N_(
        "This cell goes on over several lines and holds a URL, so it seems to have swallowed the rows below: close its "
        "quote, and write a quote that is part of the text twice."
    ),
    N_("The line holds a character that no program shows (NUL): remove it, or save the table as “CSV UTF-8”."),
    # Serial numbers and names
    N_("The serial number is empty: give the row one of its own, or remove the row if it is no product."),
    N_(
        "The serial number {serial} is already on line {number}: give the row one of its own, or move it directly "
        "below line {again} and give it the same name, if it is the same product."
    ),
    N_(
        "The serial number {serial} is already on line {number}: Excel has shortened long numbers to this. Format the "
        "column as text, and enter or import the numbers again."
    ),
    N_("The serial number is {text}, the error of a formula: correct it in the spreadsheet, and save again."),
    N_("The product name is {text}, the error of a formula: correct it in the spreadsheet, and save again."),
    N_("The serial number is a URL ({url}): put it into the column of the images."),
    N_("The serial number has more than {number} characters: shorten it."),
    N_("The product name is empty: write one, or remove the row if it is no product."),
    N_("The product name is a URL ({url}): move the cells of this row under their headings."),
    N_("The product name has more than {number} characters: shorten it."),
    # URLs of a file
    N_("The row has no image URL: give at least one, or remove the row."),
    N_("The product has no image URL on any of its rows: give at least one, or remove them."),
    N_(
        "The row has {number} image URLs, more than the {number_most} allowed: split it into several rows with serial "
        "numbers of their own."
    ),
    N_(
        "The product has {number} image URLs, more than the {number_most} allowed: split it into several rows with "
        "serial numbers of their own."
    ),
    N_("URL {number} ({url}) {part_fault}."),
    N_("URL {number} carries a user name or password: publish the image without one."),
    # Notes about how a file was read
    N_("{part} The same holds for {number} more line."),
    N_("{part} The same holds for {number} more lines."),
    N_("The file inside the gzip archive is read."),
    N_("The file {name} of the ZIP archive is read."),
    N_("The character {character} is between the cells."),
    N_("Line {number} is above the header and not read."),
    N_("Lines {number} to {number_last} are above the header and not read."),
    N_("The file is read as {encoding}, by the zeros between its bytes."),
    N_(
        "The file does not say its encoding. It is read as {encoding}, because its letters follow each other as in "
        "{language}: “{example}”. If that is wrong, name the encoding (encoding=…), or save the table as “CSV UTF-8”."
    ),
    N_("The column {name} is read for the {part_column}."),
    N_("The column {name} is read for the {part_column}, and not {names}."),
    N_("The columns '{names}' and '{last}' are read as one list of images."),
    N_("The columns {names} are read as one list of images."),
    N_("A line that only divides the table is not read."),
    N_("A line that repeats the header is not read."),
    N_("Several rows with one serial number, or without any, are read as one product."),
    N_("A serial number like 8.90123E+12 was shortened by Excel, so it is not the number of the product."),
    N_("White space after a closing quote is left out."),
    N_("Cells are in single quotes, which are read as quotes."),
    N_("A serial number or name holds an invisible character, which is kept."),
    N_("Where {names} is empty, {name} is read as the serial number."),
    N_("Where a row has more cells than the header, those that begin with a URL are read as its images."),
    N_("Cells that begin with a URL, in a row with more cells than the header, are read as its images."),
    N_("Where a cell shows a text with a link, the link is read."),
    N_("The sheet {name} is read, and not {names}."),
    N_("The hidden sheet {name} is read, and not {names}."),
    N_("Numbers of more than 15 digits are not exact, because Excel keeps 15: enter them as text."),
    N_("“�” stands where another program lost a character: write it again, or export the table as UTF-8."),
    N_("Invisible characters are left out."),
    N_("The URL of a formula (IMAGE, HYPERLINK) is read."),
    N_("The URLs of HTML tags are read."),
    N_("The URLs of Markdown links are read."),
    N_("The URLs of a JSON list are read."),
    N_("URLs in brackets after a file name are read."),
    N_("`&amp;` in URLs is read as `&`."),
    N_("Spaces inside URLs are read as %20."),
    N_("URLs that follow each other without a separator are read as several."),
    N_("What stands beside URLs, such as numbers, signs and titles of pictures, is left out."),
    # Downloads
    N_("{host} answered {status} instead of a picture; {part_remedy}."),
    N_("{host} {part_fault}."),
    N_("{host} did not finish within {seconds} s; check that it is up and fast enough."),
    N_("{host} could not be reached; check that it is up."),
    N_("{host} asks for a login; {part_remedy}."),
    N_("{host} sent a login page instead of a picture; {part_remedy}."),
    N_("{host} sent a page that says “not found” instead of a picture; check the URL."),
    N_("{host} sent an empty file; check that the picture is there."),
    N_("{host} sent only a part of the file; check that it is complete."),
    N_("{host} sends more than the {number} bytes an image may have; give a smaller one."),
    N_("{host} sends fewer than {number} bytes a second; give the picture from a faster host."),
    N_("{host} is at a private or reserved address; use a public URL, or open its network with ALLOWED_NETWORKS."),
    N_("{host} is requested on port {port}; use port 80 or 443, or open its network with ALLOWED_NETWORKS."),
    N_("The URL redirects more than {number} times, at last at {host}; give the one it should end at."),
    N_("{host} did not serve the image for {duration} minutes. Last: {part} Retry the request once it does."),
    N_("{host} has served nothing for {duration} minutes: {part_reason}. Retry the request once it does."),
    # Pictures
    N_("The file is empty; check that the URL still serves the picture."),
    N_("This is {part_kind}, not an image; {part_remedy}."),
    N_("This is JSON, not an image; {part_remedy}."),
    N_("This variety of {format} is not supported; export it as an ordinary JPEG or PNG."),
    N_("The {format} file is damaged and cannot be decoded; export it again."),
    N_("The {format} file ends too early: {part}; replace it with the whole file."),
    N_("The {format} takes too much memory or time; export it as an ordinary JPEG or PNG."),
    N_("The picture has {sides} pixels, the limit is {number} in all; give a smaller one."),
    N_("The picture needs more memory than allowed; give a smaller one."),
    N_("The picture cannot be processed; export it again as an ordinary JPEG or PNG."),
    N_("The program that decodes the picture was killed; try again later."),
    N_("The image could not be stored because of a fault of ours; retry the request."),
    N_("A worker did not have enough memory for this image; give one with fewer pixels."),
    N_("The request was cancelled before this image was started; retry the request to process it."),
    N_(
        "The worker died while processing this product, {number} times; one of its images probably exhausts memory or "
        "crashes the decoder. Replace the image, then retry the request."
    ),
    N_("No image could be processed; the failed CSV says why for each."),
    # What a page answers
    N_("{part} Try again in a few seconds."),
    N_("There is nothing at this address; /docs lists the API."),
    N_("There is no request with this id; check the requestId that the upload returned."),
    N_("The upload is larger than this server accepts; split the file, and keep the other parts short."),
    N_("The server failed to answer this call; try again later."),
    N_("The database cannot be reached."),
    N_(
        "This form has no valid token: the page is too old, or your browser keeps no cookies. Load the page again, "
        "then send the form."
    ),
    N_("Your browser sent this from a page of another site; call the API from your own server instead."),
    N_("This server requires an API key; send yours as Authorization: Bearer imgproc_…, or as X-API-Key."),
    N_("This API key is unknown or revoked, or has expired; check it, or ask for another."),
    N_("Your session has ended; sign in again."),
    N_("This needs an admin key: one with the scope admin."),
    N_("This key may only read; use one with the scope write."),
    N_("You made more than {number} calls of this kind; wait {seconds} s, then call less often."),
    N_("The cursor is invalid; give the nextCursor of the page before, unchanged."),
    N_("The request has not ended yet; poll its status until it has."),
    N_("No image of this request failed, so there is nothing to retry."),
    N_("No image of this request failed with that code at that host, so there is nothing to retry."),
    N_("{number} requests are under way already; wait until some have ended, or cancel some."),
    N_("Too many bytes of files are under way; wait until some requests have ended."),
    N_("The server is reading as many large files as it can."),
    N_("This link does not work: it has expired, was revoked, or is not complete. Ask its sender for another."),
    N_("A link expires in 1 to {number} days; give a time between."),
    N_("This request has {number} links already; revoke one first."),
    N_("Name the key in 1 to {number} printable characters."),
    N_("This key is revoked; create another."),
    N_("The expiry has passed, or is too far away; give a time to come."),
    # Options
    N_("Give a whole number from {number} to {number_most}, or {word}; write {meant} for {given}."),
    N_("Give a whole number from {number} to {number_most}, or {word}."),
    N_("Give a whole number of pixels from 1 to {number}."),
    N_("Give at most {number} characters."),
    N_("There is no encoding {given}; write {name}."),
    N_("There is no encoding {given}; give one such as {names}."),
    N_("Must be greater than or equal to {number} and less than or equal to {number_most}."),
    N_("Must be greater than {least} and less than or equal to {most}."),
    N_("Must be one of: {names}."),
    N_("Not a valid integer."),
    N_("Not a valid number."),
    N_("Not a valid boolean."),
    N_("Leave out the NUL character."),
    N_("The most pixels of width, as displayed, after scale; nothing is enlarged."),
    N_("The most pixels of height, likewise."),
    N_("No side is shrunk below so many pixels, whatever scale, maxWidth and maxHeight say."),
    N_(
        "What to do with an output larger than its source: keep it, or store the picture of the source, in its own "
        "format and size. A note of the image says so."
    ),
)

PARTS = (
    N_("an HTML page, perhaps the sign-in or error page of the site it was to come from"),
    N_("an HTML page"),
    N_("an XML document"),
    N_("a login form"),
    N_("a ZIP archive"),
    N_("a video"),
    N_("a PDF document"),
    N_("a Word document"),
    N_("a web page"),
    N_("plain text"),
    N_("a very old Excel workbook"),
    N_("a picture"),
    N_("data of no known kind"),
    N_("download the table again, or open this one in a spreadsheet and save it as “CSV UTF-8”"),
    N_("export the catalogue as CSV, or {part_remedy}"),
    N_("open it in a spreadsheet, save it as “CSV UTF-8”, and upload that"),
    N_("upload the spreadsheet that it was made from, as “CSV UTF-8”"),
    N_("upload the table of your products as “CSV UTF-8”"),
    N_("upload the table of your products as “CSV UTF-8”; the pictures are downloaded from its URLs"),
    N_("copy its table into a spreadsheet, save that as “CSV UTF-8”, and upload it"),
    N_("unpack it, and upload the file inside"),
    N_("link to the picture file itself"),
    N_("open the page, right-click the picture, choose Copy image address, and give that URL"),
    N_("export its page as JPEG or PNG, in Preview by File › Export, and link to that"),
    N_("unpack it, upload each picture, and link to the picture file itself"),
    N_("rename the column with the {part_column} to {name}, or add it"),
    N_("rename {heading} to {name}"),
    N_("{part_remedy}; {part_other}"),
    N_("product names"),
    N_("serial numbers"),
    N_("image URLs"),
    N_("'{heading}' and '{other}' could each be {name}"),
    N_("commas"),
    N_("semicolons"),
    N_("tabs"),
    N_("vertical bars"),
    N_("colons"),
    N_("spaces"),
    N_("The row has {number} cell, the header {number_header}"),
    N_("The row has {number} cells, the header {number_header}"),
    N_('{part} The next cell has a URL: put quotes around an earlier cell that holds a "{character}".'),
    N_("has no https:// before the www.: add it"),
    N_("has no https: before the //: add it"),
    N_("has no https:// before the host: add it"),
    N_("begins with http:// twice: {part_remedy}"),
    N_("is misspelled at its beginning: {part_remedy}"),
    N_("write it in full, as https://your-shop/picture.jpg"),
    N_("is a path without its host: put the address of the website before it, such as https://your-shop"),
    N_("is a path without its host, as Magento exports it: put https://your-shop/media/catalog/product before it"),
    N_("is the name of a file, not its address: put that of its folder before it, such as https://your-shop/images/"),
    N_("is a file on a computer: {part_remedy}"),
    N_("is an FTP address, which browsers no longer open: {part_remedy}"),
    N_("is the address of a cloud bucket for programs: {part_remedy}"),
    N_("is a picture inside the cell (data:), not a URL: {part_remedy}"),
    N_("is no address of a picture on the web: {part_remedy}"),
    N_("put the picture on a web server or in your shop, and give its https:// URL"),
    N_("stands for no picture: leave it out, or remove the row if it has no other picture"),
    N_("is the error of a formula: correct it in the spreadsheet, or leave it out"),
    N_("is a formula: copy its column in the spreadsheet, paste it as values, and save again"),
    N_("is cut off at its end: copy all of it"),
    N_("is no URL: leave it out, or {part_remedy}; a space inside a URL is written %20"),
    N_("has no host (the name of the website), or no valid port: {part_remedy}"),
    N_("is longer than {number} characters: shorten it"),
    N_("holds an invisible character: remove it"),
    # Remedies of answers that are no picture
    N_("check the URL in a browser, letter by letter"),
    N_("check the URL in a browser"),
    N_("check the URL"),
    N_("its plan has ended or is used up; ask its owner"),
    N_("a proxy before it wants a password; ask its owner"),
    N_("the URL is too long for it; give a shorter one"),
    N_("the file is locked; unlock it"),
    N_("the law forbids it to serve the picture here; give it from another host"),
    N_("its disk is full; ask its owner"),
    N_("its traffic of this month is used up; try again later, or give the picture from another host"),
    N_("Cloudflare cannot open TLS to the server behind it; correct its certificate"),
    N_("the server behind Cloudflare has an invalid certificate; renew it"),
    N_("Cloudflare cannot reach the server behind it; check that it is up"),
    N_("it is gone, so give another URL"),
    N_("it gets too many requests, so try again later"),
    N_("try again later"),
    N_("check the host of the URL"),
    N_(
        "make the picture public, let {agent} through, or give the host's own headers (Referer, a token) in "
        "HOST_HEADERS"
    ),
    N_("it wants {part}, so make the picture public, or set the header Authorization for it in HOST_HEADERS"),
    N_("a user name and password"),
    N_("the shop is closed by a password; take it off, or give the pictures from another host"),
    N_("make the picture public, or set the headers of the host (a cookie or token) in HOST_HEADERS"),
    # What is wrong with a host
    N_("could not be looked up, because DNS did not answer; check its name servers, or try again later"),
    N_("was not found; check how the host is spelled"),
    N_("refuses connections; check that it is up"),
    N_("did not accept a connection in time; check that it is up"),
    N_("did not answer in time; check that it is up and fast enough"),
    N_("closed the connection before it had answered; check that it is up"),
    N_("answered something that is not HTTP; check the host and port"),
    N_("has a certificate for another name; give it one of its own"),
    N_("has a certificate that has expired; renew it"),
    N_("has a self-signed certificate; give it one of a public authority, such as Let's Encrypt"),
    N_(
        "has a certificate of an authority that is not trusted; let it send the whole chain (fullchain.pem), signed by "
        "a public authority"
    ),
    N_("stops programs ({name}); ask its owner to let {agent} through, or give the picture from another host"),
    N_("says that it has no such file; check the path in the URL"),
    N_("it is too busy"),
    N_("it cannot be reached"),
    N_("it does not answer"),
    N_("about {number}% of the picture is there"),
    N_("part of the picture is missing"),
    N_("This address does not take {method}; it takes {methods}."),
)
